// Command wiretypes prints what Go's types tell of the API's bodies, as one JSON object by the full name of the type
// (io.k8s.api.core.v1.Pod) and then by the field's name on the wire.
//
//	wiretypes zeros    what encoding/json makes of a field that nobody set: drop (left out), null, text, number, bool,
//	                   struct, quantity or duration; a field that is left out and has no zero value of its own is absent
//	wiretypes names    the field's Go type, without pointers, and the embedded structs that its path goes through
//
// The types are those of client-go's scheme, of CustomResourceDefinition and of APIService, and all that they hold.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// field is one field of a body, wherever in the Go struct it stands.
type field struct {
	wire     string
	embedded string // TypeMeta. for a field of the embedded struct TypeMeta
	goType   reflect.Type
	options  string // of its JSON tag
}

func main() {
	if len(os.Args) != 2 || os.Args[1] != "zeros" && os.Args[1] != "names" {
		fmt.Fprintln(os.Stderr, "usage: wiretypes zeros|names")
		os.Exit(2)
	}
	printed := map[string]map[string]any{}
	for name, fields := range allTypes() {
		printed[name] = map[string]any{}
		for _, each := range fields {
			if os.Args[1] == "names" {
				printed[name][each.wire] = []string{pointed(each.goType).String(), each.embedded}
			} else if zero := zeroOf(each); zero != "" {
				printed[name][each.wire] = zero
			}
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(printed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// allTypes returns the fields of every struct, by its full name.
func allTypes() map[string][]field {
	found := map[string][]field{}
	for _, known := range scheme.Scheme.AllKnownTypes() {
		walk(known, found)
	}
	walk(reflect.TypeFor[apiextensions.CustomResourceDefinition](), found)
	walk(reflect.TypeFor[apiregistration.APIService](), found)
	return found
}

func walk(t reflect.Type, found map[string][]field) {
	t = innermost(t)
	if t.Kind() != reflect.Struct || !strings.HasPrefix(t.PkgPath(), "k8s.io") {
		return
	}
	name := fullName(t)
	if _, ok := found[name]; ok {
		return
	}
	found[name] = nil // a type may hold itself
	found[name] = fieldsOf(t, "")
	for _, each := range found[name] {
		walk(each.goType, found)
	}
}

// fieldsOf returns the fields of a struct, those of the structs that it embeds in their place.
func fieldsOf(t reflect.Type, embedded string) []field {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		wire, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || wire == "-" {
			continue
		}
		if !f.Anonymous || wire != "" {
			fields = append(fields, field{wire, embedded, f.Type, options})
		} else if inner := innermost(f.Type); inner.Kind() == reflect.Struct {
			fields = append(fields, fieldsOf(inner, embedded+f.Name+".")...)
		}
	}
	return fields
}

// zeroOf returns the code of a field's zero value; it is empty where encoding/json leaves a nil out.
func zeroOf(f field) string {
	isDropped := strings.Contains(f.options, "omitempty")
	code := ""
	switch f.goType.Kind() {
	case reflect.Pointer, reflect.Interface:
		if isDropped || strings.Contains(f.options, "omitzero") {
			return ""
		}
		return "null"
	case reflect.Struct: // omitempty says nothing of a struct
		isDropped = strings.Contains(f.options, "omitzero")
		code = zeroOfStruct(f.goType)
	case reflect.Slice, reflect.Map, reflect.Array:
		code = "null"
	case reflect.String:
		code = "text"
	case reflect.Bool:
		code = "bool"
	default:
		code = "number"
	}
	if isDropped {
		return "drop"
	}
	return code
}

// zeroOfStruct knows the structs that have an encoder of their own.
func zeroOfStruct(t reflect.Type) string {
	switch t.Name() {
	case "Quantity":
		return "quantity"
	case "IntOrString":
		return "number"
	case "Time", "MicroTime", "RawExtension", "JSON":
		return "null"
	case "Duration":
		return "duration"
	}
	return "struct"
}

// fullName returns the name of a type in the published definitions.
func fullName(t reflect.Type) string {
	folder := strings.TrimPrefix(strings.ReplaceAll(t.PkgPath(), "/", "."), "k8s.io.")
	return "io.k8s." + folder + "." + t.Name()
}

// innermost returns what a pointer, list or map holds in the end.
func innermost(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t
}

func pointed(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
