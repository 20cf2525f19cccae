package scenario

import (
	"bytes"
	"encoding/json"
)

// Encode is the scenario as one line, without the fields that Go writes where nothing was set.
func (s *Scenario) Encode() ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var plain map[string]any
	if err := decoder.Decode(&plain); err != nil {
		return nil, err
	}
	for _, kind := range []string{"services", "slices"} {
		objects, _ := plain[kind].([]any)
		if objects == nil {
			plain[kind] = []any{}
		}
		for _, each := range objects {
			tidy(each.(map[string]any))
		}
	}
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	err = encoder.Encode(plain)
	return line.Bytes(), err
}

func tidy(object map[string]any) {
	if metadata := object["metadata"].(map[string]any); metadata["creationTimestamp"] == nil {
		delete(metadata, "creationTimestamp")
	}
	status, _ := object["status"].(map[string]any)
	if balancer, _ := status["loadBalancer"].(map[string]any); len(balancer) == 0 {
		delete(object, "status")
	}
	spec, _ := object["spec"].(map[string]any)
	ports, _ := spec["ports"].([]any)
	for _, port := range ports {
		if port := port.(map[string]any); port["targetPort"] == json.Number("0") {
			delete(port, "targetPort")
		}
	}
}
