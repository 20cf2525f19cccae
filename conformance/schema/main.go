// Command schema prints which fields the API types that rulegen reads have, and of which Go type each is,
// as they are declared in the Kubernetes release that go.mod names. rulegen ships the output as
// rulegen/load/api/schema.json; to renew it after a change of go.mod:
//
//	go run . > ../../rulegen/load/api/schema.json
//
// The form, which the Python side documents too:
//
//	kinds   "GROUP/VERSION KIND" -> the name of a struct
//	structs struct -> JSON field -> type and how it is printed
//	named   a named type that is no struct -> what it is
//
// A type is written as Go writes it, with the package's last two path elements: "[]core/v1.ServicePort",
// "map[string]string", "*int32". Embedded structs are flattened, as encoding/json flattens them. After the
// type stands "!" for a field that is printed even when it is empty, "?" for one that is left out when it is
// the zero value of its struct type (omitzero), nothing for omitempty.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	networkingv1beta1 "k8s.io/api/networking/v1beta1"
	proxyv1alpha1 "k8s.io/kube-proxy/config/v1alpha1"
)

var roots = map[string]any{
	"apps/v1 DaemonSet":                 appsv1.DaemonSet{},
	"apps/v1 Deployment":                appsv1.Deployment{},
	"apps/v1 ReplicaSet":                appsv1.ReplicaSet{},
	"apps/v1 StatefulSet":               appsv1.StatefulSet{},
	"discovery.k8s.io/v1 EndpointSlice": discoveryv1.EndpointSlice{},
	"kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration": proxyv1alpha1.KubeProxyConfiguration{},
	"networking.k8s.io/v1 ServiceCIDR":                        networkingv1.ServiceCIDR{},
	"networking.k8s.io/v1beta1 ServiceCIDR":                   networkingv1beta1.ServiceCIDR{},
	"v1 ConfigMap":                                            corev1.ConfigMap{},
	"v1 Endpoints":                                            corev1.Endpoints{},
	"v1 Namespace":                                            corev1.Namespace{},
	"v1 Node":                                                 corev1.Node{},
	"v1 Pod":                                                  corev1.Pod{},
	"v1 Service":                                              corev1.Service{},
}

type schema struct {
	Kinds   map[string]string            `json:"kinds"`
	Structs map[string]map[string]string `json:"structs"`
	Named   map[string]string            `json:"named"`
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func main() {
	s := schema{map[string]string{}, map[string]map[string]string{}, map[string]string{}}
	for kind, object := range roots {
		t := reflect.TypeOf(object)
		s.Kinds[kind] = name(t)
		s.add(t)
	}
	if err := s.print(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// name is the package's last two path elements and the type's name; a type of the language is its own name.
func name(t reflect.Type) string {
	if t.PkgPath() == "" {
		return t.Name()
	}
	parts := strings.Split(t.PkgPath(), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/") + "." + t.Name()
}

// text is the type as it is written in the schema.
func text(t reflect.Type) string {
	if t.Name() != "" {
		return name(t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + text(t.Elem())
	case reflect.Slice:
		return "[]" + text(t.Elem())
	case reflect.Map:
		return "map[" + text(t.Key()) + "]" + text(t.Elem())
	}
	panic("no text for " + t.String())
}

// add registers a type and everything that can be reached from it. Types that decode themselves
// (quantities, times, int-or-string) are named only.
func (s *schema) add(t reflect.Type) {
	if t.PkgPath() != "" && reflect.PointerTo(t).Implements(unmarshaler) {
		s.Named[name(t)] = "custom"
		return
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		s.add(t.Elem())
	case reflect.Map:
		s.add(t.Key())
		s.add(t.Elem())
	case reflect.Struct:
		if _, seen := s.Structs[name(t)]; !seen {
			fields := map[string]string{}
			s.Structs[name(t)] = fields
			s.fields(t, fields)
		}
	default:
		if t.PkgPath() != "" {
			s.Named[name(t)] = t.Kind().String()
		}
		return
	}
	if t.Name() != "" && t.Kind() != reflect.Struct {
		switch t.Kind() {
		case reflect.Slice:
			s.Named[name(t)] = "[]" + text(t.Elem())
		case reflect.Map:
			s.Named[name(t)] = "map[" + text(t.Key()) + "]" + text(t.Elem())
		}
	}
}

func (s *schema) fields(t reflect.Type, fields map[string]string) {
	for i := range t.NumField() {
		field := t.Field(i)
		tag, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == "-" || !field.IsExported() {
			continue
		}
		if field.Anonymous && tag == "" {
			s.fields(field.Type, fields)
			continue
		}
		if tag == "" {
			tag = field.Name
		}
		printed := "!"
		for _, option := range strings.Split(options, ",") {
			switch {
			case option == "omitzero":
				printed = "?"
			case option == "omitempty" && field.Type.Kind() != reflect.Struct && printed == "!":
				printed = ""
			case option == "string":
				panic("quoted field " + t.String() + "." + tag)
			}
		}
		fields[tag] = text(field.Type) + printed
		s.add(field.Type)
	}
}

// print writes one struct a line, everything sorted, so that a new release shows as a small difference.
func (s *schema) print() error {
	section := func(title string, lines []string, last bool) {
		sort.Strings(lines)
		fmt.Printf("%q: {\n%s\n}", title, strings.Join(lines, ",\n"))
		if !last {
			fmt.Println(",")
		}
	}
	pairs := func(m map[string]string) (lines []string) {
		for key, value := range m {
			lines = append(lines, fmt.Sprintf("%q: %q", key, value))
		}
		return
	}
	var structs []string
	for name, fields := range s.Structs {
		line, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		structs = append(structs, fmt.Sprintf("%q: %s", name, line))
	}
	fmt.Println("{")
	section("kinds", pairs(s.Kinds), false)
	section("named", pairs(s.Named), false)
	section("structs", structs, true)
	fmt.Println("\n}")
	return nil
}
