package inside

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the prelude
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"modernc.org/quickjs"

	"tocsin/lambda/internal/wire"
)

//go:embed prelude.js
var prelude string

// scripts runs lambdas, each call in a machine of its own.
type scripts struct {
	limits   wire.Limits
	compiler *compiler
	prelude  []byte   // bytecode
	next     *machine // made while nobody waits; nil when it has to be made first
}

func newScripts(limits wire.Limits) (*scripts, error) {
	c, err := newCompiler()
	if err != nil {
		return nil, err
	}
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	defer vm.Close()
	code, err := vm.Compile(prelude, quickjs.EvalGlobal)
	if err != nil {
		return nil, fmt.Errorf("compile the prelude: %w", err)
	}
	return &scripts{limits: limits, compiler: c, prelude: code}, nil
}

// run calls a lambda, or only looks at it when the job is a check.
func (s *scripts) run(job wire.Job) wire.Answer {
	m, err := s.taken()
	if err != nil {
		return wire.Answer{Fault: wire.Faultf("%v", err)}
	}
	var alert json.RawMessage
	p, fault := s.compiler.compile(m.vm, job.Source)
	if fault == nil {
		if alert, err = m.call(p, job); err != nil {
			fault = s.fault(err, p, m.host.complaint)
		}
	}
	a := wire.Answer{Alert: alert, Logs: m.host.logs, Fault: fault}
	if a.Retire = ranOut(err) != ""; !a.Retire {
		m.prepare.Free()
		a.Retire = m.vm.Close() != nil
	}
	return a
}

func (s *scripts) fault(err error, p *program, complaint string) *wire.Fault {
	if complaint != "" {
		return wire.Faultf("%s", complaint)
	}
	fault := engineFault(err, p)
	switch ranOut(err) {
	case outOfTime:
		fault.Message = wire.TookLonger(s.limits.Deadline)
	case outOfMemory:
		fault.Message = wire.NeedsMore(s.limits.Memory)
	}
	return fault
}

// machine is a JavaScript engine for one call.
type machine struct {
	vm      *quickjs.VM
	host    *host
	limits  wire.Limits
	prepare quickjs.Value // what the prelude gave
}

// ready makes the next call's machine ahead of it.
func (s *scripts) ready() {
	if s.next == nil {
		s.next, _ = s.machine() // what went wrong is found again by the call
	}
}

func (s *scripts) taken() (*machine, error) {
	if m := s.next; m != nil {
		s.next = nil
		return m, nil
	}
	return s.machine()
}

func (s *scripts) machine() (*machine, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("start the engine: %w", err)
	}
	m := &machine{vm: vm, host: &host{}, limits: s.limits}
	vm.SetMemoryLimit(uintptr(s.limits.Memory)) //nolint:gosec // positive, NewCrew sees to it
	vm.SetCanBlock(false)                       // Atomics.wait would hang
	err = errors.Join(vm.SetEvalTimeout(s.limits.Deadline), vm.RegisterHostFunc("host", m.host.call))
	if err == nil {
		m.prepare, err = vm.EvalBytecodeValue(s.prelude)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the engine: %w", err), vm.Close())
	}
	return m, nil
}

// call prepares the machine, evaluates the module and calls what it exports.
func (m *machine) call(p *program, job wire.Job) (json.RawMessage, error) {
	began := time.Now()
	run, err := m.prepared(job)
	if err != nil {
		return nil, err
	}
	defer run.Free()
	module, err := m.vm.EvalBytecodeValue(p.code)
	if err != nil {
		return nil, err
	}
	defer module.Free()
	// The engine's clock starts with each call from here.
	if err := m.vm.SetEvalTimeout(max(m.limits.Deadline-time.Since(began), time.Millisecond)); err != nil {
		return nil, err
	}
	alert, ctx, err := arguments(job)
	if err != nil {
		return nil, err
	}
	result, err := run.Call(quickjs.UndefinedValue, module, alert, ctx, m.limits.Output)
	if err != nil {
		return nil, err
	}
	text, ok := result.(string)
	if !ok {
		return nil, nil // dropped, or only checked
	}
	return json.RawMessage(text), nil
}

// prepared is the prelude's function for a call with this time and seed.
func (m *machine) prepared(job wire.Job) (quickjs.Value, error) {
	seed := sha256.Sum256([]byte(job.Seed))
	word := func(i int) int { return int(int32(binary.BigEndian.Uint32(seed[4*i:]))) } //nolint:gosec // bits, not a number
	return m.prepare.CallValue(quickjs.UndefinedValue, float64(job.Now), word(0), word(1), word(2), word(3))
}

// arguments are the texts of the alert and of ctx; nil for a check.
func arguments(job wire.Job) (alert, ctx any, err error) {
	if job.Do == wire.CheckLambda {
		return nil, nil, nil
	}
	text, err := json.Marshal(map[string]json.RawMessage{
		"config": or(job.Config, "{}"), "ticket": or(job.Ticket, "null"), "action": or(job.Action, "null"),
	})
	return string(job.Alert), string(text), err
}

func or(given json.RawMessage, otherwise string) json.RawMessage {
	if len(bytes.TrimSpace(given)) == 0 {
		return json.RawMessage(otherwise)
	}
	return given
}
