// Renders a chart with Go's own text/template and Sprig, as Helm does: what the renderer of the tests
// (tests/integration/harness/helm.py) is held against. By hand, since it wants golang-go and golang-github-masterminds-sprig-dev:
//
//	cd tests/tools/helm && GO111MODULE=off GOPATH=/usr/share/gocode go run main.go FOLDER [VALUES.yaml…]
//
// prints each file of the chart in FOLDER after a line "=== NAME". Release sluice (RELEASE says another), namespace default.
// tests/data/helm/cases.json has what it made of small templates.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v2"
)

// As Helm's YAML has it, which goes by way of JSON: keys are strings, every number is a float64.
func likeJSON(value interface{}) interface{} {
	switch v := value.(type) {
	case map[interface{}]interface{}:
		out := map[string]interface{}{}
		for key, below := range v {
			out[fmt.Sprint(key)] = likeJSON(below)
		}
		return out
	case []interface{}:
		out := []interface{}{}
		for _, below := range v {
			out = append(out, likeJSON(below))
		}
		return out
	case int:
		return float64(v)
	}
	return value
}

// And back: whole numbers are written as such.
func written(value interface{}) interface{} {
	switch v := value.(type) {
	case map[string]interface{}:
		out := map[string]interface{}{}
		for key, below := range v {
			out[key] = written(below)
		}
		return out
	case []interface{}:
		out := []interface{}{}
		for _, below := range v {
			out = append(out, written(below))
		}
		return out
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return value
}

func read(path string) map[string]interface{} {
	var out interface{}
	text, err := os.ReadFile(path)
	if err == nil {
		err = yaml.Unmarshal(text, &out)
	}
	if err != nil {
		panic(err)
	}
	return likeJSON(out).(map[string]interface{})
}

func merge(into, from map[string]interface{}) {
	for key, value := range from {
		below, isMap := value.(map[string]interface{})
		have, was := into[key].(map[string]interface{})
		if isMap && was {
			merge(have, below)
		} else if value == nil {
			delete(into, key)
		} else {
			into[key] = value
		}
	}
}

func main() {
	chart := os.Args[1]
	values := read(filepath.Join(chart, "values.yaml"))
	for _, more := range os.Args[2:] {
		merge(values, read(more))
	}
	about := read(filepath.Join(chart, "Chart.yaml"))
	release := os.Getenv("RELEASE")
	if release == "" {
		release = "sluice"
	}
	root := map[string]interface{}{
		"Values":  values,
		"Chart":   map[string]interface{}{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
		"Release": map[string]interface{}{"Name": release, "Namespace": "default", "Service": "Helm"},
	}
	all := template.New("chart").Option("missingkey=zero")
	functions := sprig.TxtFuncMap()
	functions["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	functions["toYaml"] = func(value interface{}) string {
		text, err := yaml.Marshal(written(value))
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(text), "\n")
	}
	functions["required"] = func(message string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return value, errors.New(message)
		}
		return value, nil
	}
	all.Funcs(functions)
	files, _ := filepath.Glob(filepath.Join(chart, "templates", "*"))
	sort.Strings(files)
	for _, path := range files {
		text, _ := os.ReadFile(path)
		if _, err := all.New(filepath.Base(path)).Parse(string(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	for _, path := range files {
		name := filepath.Base(path)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, root); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("=== %s\n%s", name, strings.ReplaceAll(out.String(), "<no value>", ""))
	}
}
