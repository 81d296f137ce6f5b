// Package tap prints the Test Anything Protocol, version 13. It has the interface of github.com/mndrix/tap-go, as far as the OCI validation
// suite uses it, because Debian does not package that one.
package tap

import (
	"encoding/json"
	"fmt"
)

// T counts the checks of one program.
type T struct {
	count *int
	todo  bool
}

// New returns a program's counter. Header comes first, AutoPlan last.
func New() *T {
	return &T{count: new(int)}
}

// Header prints the version, and the plan when it is known already.
func (t *T) Header(planned int) {
	fmt.Println("TAP version 13")
	if planned > 0 {
		fmt.Printf("1..%d\n", planned)
	}
}

// AutoPlan prints the plan: as many checks as there were.
func (t *T) AutoPlan() {
	fmt.Printf("1..%d\n", *t.count)
}

// Ok is one check.
func (t *T) Ok(passed bool, description string) {
	word, directive := "ok", ""
	if !passed {
		word = "not ok"
	}
	if t.todo {
		directive = " # TODO"
	}
	*t.count++
	fmt.Printf("%s %d - %s%s\n", word, *t.count, description, directive)
}

// Pass is a check that passes.
func (t *T) Pass(description string) {
	t.Ok(true, description)
}

// Fail is a check that fails.
func (t *T) Fail(description string) {
	t.Ok(false, description)
}

// Skip stands for checks that are not made.
func (t *T) Skip(checks int, reason string) {
	for ; checks > 0; checks-- {
		*t.count++
		fmt.Printf("ok %d # SKIP %s\n", *t.count, reason)
	}
}

// Todo returns a counter whose checks may fail.
func (t *T) Todo() *T {
	return &T{count: t.count, todo: true}
}

// Diagnostic prints a remark.
func (t *T) Diagnostic(remark string) {
	fmt.Println("# " + remark)
}

// Diagnosticf prints a remark.
func (t *T) Diagnosticf(format string, values ...interface{}) {
	t.Diagnostic(fmt.Sprintf(format, values...))
}

// YAML prints details of the check before it. JSON is YAML.
func (t *T) YAML(details interface{}) error {
	text, err := json.MarshalIndent(details, "  ", "  ")
	if err != nil {
		return err
	}
	fmt.Printf("  ---\n  %s\n  ...\n", text)
	return nil
}
