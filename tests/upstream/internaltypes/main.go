// Command internaltypes prints the fields of the types that the API server keeps objects in, as one JSON object by the
// name of the type (core.PodSpec).
//
//	internaltypes
//
// A field is a list: its name as encoding/json writes it, its name on the wire, its type and whether it is left out
// when it is empty. An embedded struct has no names. A type is string, bool, number, quantity, intstr, bytes, raw (JSON
// of its own) or the name of a struct, after * for a pointer, [] for a list and map: for a map of it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"reflect"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/kubernetes/pkg/apis/apps"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	"k8s.io/kubernetes/pkg/apis/batch"
	"k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/apis/discovery"
	"k8s.io/kubernetes/pkg/apis/flowcontrol"
	"k8s.io/kubernetes/pkg/apis/networking"
	"k8s.io/kubernetes/pkg/apis/node"
	"k8s.io/kubernetes/pkg/apis/policy"
	"k8s.io/kubernetes/pkg/apis/rbac"
	"k8s.io/kubernetes/pkg/apis/scheduling"
	"k8s.io/kubernetes/pkg/apis/storage"
)

// kinds holds each kind's internal type and the one on the wire, which knows the names there.
var kinds = [][2]any{
	{core.Pod{}, corev1.Pod{}},
	{core.Service{}, corev1.Service{}},
	{core.PersistentVolume{}, corev1.PersistentVolume{}},
	{core.PersistentVolumeClaim{}, corev1.PersistentVolumeClaim{}},
	{core.Node{}, corev1.Node{}},
	{core.Namespace{}, corev1.Namespace{}},
	{core.ResourceQuota{}, corev1.ResourceQuota{}},
	{core.LimitRange{}, corev1.LimitRange{}},
	{core.Endpoints{}, corev1.Endpoints{}},
	{core.ReplicationController{}, corev1.ReplicationController{}},
	{core.PodTemplate{}, corev1.PodTemplate{}},
	{core.Event{}, corev1.Event{}},
	{core.ServiceAccount{}, corev1.ServiceAccount{}},
	{apps.Deployment{}, appsv1.Deployment{}},
	{apps.ReplicaSet{}, appsv1.ReplicaSet{}},
	{apps.StatefulSet{}, appsv1.StatefulSet{}},
	{apps.DaemonSet{}, appsv1.DaemonSet{}},
	{batch.Job{}, batchv1.Job{}},
	{batch.CronJob{}, batchv1.CronJob{}},
	{autoscaling.HorizontalPodAutoscaler{}, autoscalingv2.HorizontalPodAutoscaler{}},
	{policy.PodDisruptionBudget{}, policyv1.PodDisruptionBudget{}},
	{networking.Ingress{}, networkingv1.Ingress{}},
	{networking.NetworkPolicy{}, networkingv1.NetworkPolicy{}},
	{networking.IngressClass{}, networkingv1.IngressClass{}},
	{rbac.ClusterRole{}, rbacv1.ClusterRole{}},
	{rbac.ClusterRoleBinding{}, rbacv1.ClusterRoleBinding{}},
	{scheduling.PriorityClass{}, schedulingv1.PriorityClass{}},
	{storage.StorageClass{}, storagev1.StorageClass{}},
	{storage.CSIDriver{}, storagev1.CSIDriver{}},
	{storage.CSINode{}, storagev1.CSINode{}},
	{storage.VolumeAttachment{}, storagev1.VolumeAttachment{}},
	{discovery.EndpointSlice{}, discoveryv1.EndpointSlice{}},
	{flowcontrol.FlowSchema{}, flowcontrolv1.FlowSchema{}},
	{flowcontrol.PriorityLevelConfiguration{}, flowcontrolv1.PriorityLevelConfiguration{}},
	{node.RuntimeClass{}, nodev1.RuntimeClass{}},
	{apiextensions.CustomResourceDefinition{}, apiextensionsv1.CustomResourceDefinition{}},
}

// field is the name in Go, the name on the wire, the type and whether it is left out when it is empty.
type field [4]any

// types holds what has been walked so far.
type types map[string][]field

func main() {
	found := types{}
	for _, kind := range kinds {
		found.walk(reflect.TypeOf(kind[0]), reflect.TypeOf(kind[1]))
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// walk notes a struct and all that it holds; wire is its counterpart on the wire, or nil.
func (found types) walk(t, wire reflect.Type) {
	name := nameOf(t)
	if _, ok := found[name]; ok {
		return
	}
	found[name] = nil // a type may hold itself
	fields := []field{}
	onWire := wireFields(wire)
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || tag == "-" {
			continue
		}
		counterpart, ok := onWire[strings.ToLower(f.Name)]
		if base := pointed(f.Type); f.Anonymous && tag == "" && base.Kind() == reflect.Struct {
			inner := wire
			if ok {
				inner = counterpart.Type
			}
			found.walk(base, inner)
			fields = append(fields, field{"", "", nameOf(base), false})
			continue
		}
		shown, wireName := names(f.Name, tag, counterpart)
		expression := found.expression(f.Type, counterpart.Type)
		fields = append(fields, field{shown, wireName, expression, strings.Contains(options, "omitempty")})
	}
	found[name] = fields
}

// names returns how a field is shown and what it is called on the wire: as its counterpart there, or else as its own
// tag says, or else as its Go name with a small letter.
func names(goName, tag string, counterpart reflect.StructField) (shown, wire string) {
	wire, _, _ = strings.Cut(counterpart.Tag.Get("json"), ",")
	if wire == "" {
		wire = tag
	}
	if wire == "" {
		wire = strings.ToLower(goName[:1]) + goName[1:]
	}
	if tag == "" {
		return goName, wire
	}
	return tag, wire
}

// expression returns the type of a field and walks the struct that it holds.
func (found types) expression(t, wire reflect.Type) string {
	switch nameOf(t) {
	case "resource.Quantity":
		return "quantity"
	case "intstr.IntOrString":
		return "intstr"
	case "v1.Time", "v1.MicroTime", "v1.Duration", "v1.FieldsV1":
		return "raw"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return "number"
	case reflect.Pointer:
		return "*" + found.expression(t.Elem(), element(wire))
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + found.expression(t.Elem(), element(wire))
	case reflect.Map:
		return "map:" + found.expression(t.Elem(), element(wire))
	case reflect.Struct:
		found.walk(t, wire)
		return nameOf(t)
	}
	return "raw"
}

// wireFields returns the fields of a struct by their Go names in small letters, those of embedded structs included.
func wireFields(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	if t != nil {
		t = pointed(t)
	}
	if t == nil || t.Kind() != reflect.Struct {
		return fields
	}
	for i := range t.NumField() {
		f := t.Field(i)
		fields[strings.ToLower(f.Name)] = f
		if !f.Anonymous {
			continue
		}
		for name, inner := range wireFields(f.Type) {
			if _, ok := fields[name]; !ok {
				fields[name] = inner
			}
		}
	}
	return fields
}

// nameOf returns the name of a type after the last part of its package's path.
func nameOf(t reflect.Type) string {
	return path.Base(t.PkgPath()) + "." + t.Name()
}

func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// element returns what a pointer, list or map holds, and any other type, or nil, as it is.
func element(t reflect.Type) reflect.Type {
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
		return t.Elem()
	}
	return t
}
