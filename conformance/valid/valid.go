// Package valid asks the API server whether it would take the objects of a scenario.
package valid

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/apis/core"
	apiservice "k8s.io/kubernetes/pkg/apis/core/v1"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	internal "k8s.io/kubernetes/pkg/apis/discovery"
	apislice "k8s.io/kubernetes/pkg/apis/discovery/v1"
	slicevalidation "k8s.io/kubernetes/pkg/apis/discovery/validation"
	"rulegen/conformance/scenario"
)

// Objects is nil where the API server's own validation takes every object. Objects of one name are found here.
func Objects(s *scenario.Scenario) error {
	names := map[string]bool{}
	unique := func(kind, namespace, name string) error {
		key := kind + " " + namespace + "/" + name
		if names[key] {
			return fmt.Errorf("%s exists twice", key)
		}
		names[key] = true
		return nil
	}
	for i := range s.Services {
		service := &s.Services[i]
		if err := unique("Service", service.Namespace, service.Name); err != nil {
			return err
		}
		if err := validateService(service.DeepCopy()); err != nil {
			return fmt.Errorf("service %s/%s: %w", service.Namespace, service.Name, err)
		}
	}
	for i := range s.Slices {
		slice := &s.Slices[i]
		if err := unique("EndpointSlice", slice.Namespace, slice.Name); err != nil {
			return err
		}
		if err := validateSlice(slice.DeepCopy()); err != nil {
			return fmt.Errorf("slice %s/%s: %w", slice.Namespace, slice.Name, err)
		}
	}
	return nil
}

func validateService(stored *v1.Service) error {
	var service core.Service
	apiservice.SetObjectDefaults_Service(stored)
	if err := apiservice.Convert_v1_Service_To_core_Service(stored, &service, nil); err != nil {
		return err
	}
	status := service.Status.LoadBalancer
	errs := validation.ValidateServiceCreate(&service)
	path := field.NewPath("status", "loadBalancer")
	return append(errs, validation.ValidateLoadBalancerStatus(&status, &status, path, &service.Spec)...).ToAggregate()
}

func validateSlice(stored *discovery.EndpointSlice) error {
	var slice internal.EndpointSlice
	apislice.SetObjectDefaults_EndpointSlice(stored)
	if err := apislice.Convert_v1_EndpointSlice_To_discovery_EndpointSlice(stored, &slice, nil); err != nil {
		return err
	}
	return slicevalidation.ValidateEndpointSliceCreate(&slice).ToAggregate()
}
