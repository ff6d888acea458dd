package steady

import (
	"sync"
	"testing"
	"time"

	"github.com/remuda-go/remuda/internal/steady/steadytest"
	"pgregory.net/rapid"
)

const leeway = 30 * time.Second

func TestCheck(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	for name, c := range map[string]struct {
		do      func(m *steadytest.Machine)
		moved   time.Duration // this clock, beside the time that has passed
		held    time.Duration
		young   bool // the machine has just started
		unknown bool // nobody knows for how long it has been up
		plain   bool // readings have no monotonic part
	}{
		"nothing":              {do: func(*steadytest.Machine) {}},
		"forward":              {do: func(m *steadytest.Machine) { m.Step(hour) }, held: hour},
		"back":                 {do: func(m *steadytest.Machine) { m.Step(-hour) }, held: -hour},
		"just beyond":          {do: func(m *steadytest.Machine) { m.Step(leeway + 1) }, held: leeway + 1},
		"small":                {do: func(m *steadytest.Machine) { m.Step(leeway) }, moved: leeway},
		"small and back":       {do: func(m *steadytest.Machine) { m.Step(-leeway) }, moved: -leeway},
		"a leap second":        {do: func(m *steadytest.Machine) { m.Step(-time.Second) }, moved: -time.Second},
		"asleep":               {do: func(m *steadytest.Machine) { m.Sleep(hour) }, moved: hour},
		"asleep and set":       {do: func(m *steadytest.Machine) { m.Sleep(hour); m.Step(-hour) }, moved: hour, held: -hour},
		"booting":              {do: func(m *steadytest.Machine) { m.Step(-1000 * hour) }, moved: -1000 * hour, young: true},
		"forward, unknown":     {do: func(m *steadytest.Machine) { m.Step(hour) }, moved: hour, unknown: true},
		"back, unknown":        {do: func(m *steadytest.Machine) { m.Step(-hour) }, held: -hour, unknown: true},
		"without monotonic":    {do: func(m *steadytest.Machine) { m.Step(hour) }, moved: hour, plain: true},
		"held while it sleeps": {do: func(m *steadytest.Machine) { m.Step(hour); m.Sleep(hour) }, moved: hour, held: hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := steadytest.New(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
			if !c.young {
				m.Pass(24 * time.Hour)
			}
			now, uptime := m.Now, m.Uptime
			if c.plain {
				now = func() time.Time { return m.Now().Round(0) }
			}
			if c.unknown {
				uptime = func() (time.Duration, bool) { return 0, false }
			}
			k := New(now, leeway, uptime)
			began := k.Now()
			m.Pass(time.Minute)
			c.do(m)
			k.Check()
			if moved := k.Now().Sub(began) - time.Minute; moved != c.moved || k.Held() != c.held {
				t.Errorf("moved %v, want %v; held %v, want %v", moved, c.moved, k.Held(), c.held)
			}
			m.Pass(time.Minute)
			k.Check()
			if moved := k.Now().Sub(began) - 2*time.Minute; moved != c.moved || k.Held() != c.held {
				t.Errorf("a minute later: moved %v, want %v; held %v, want %v", moved, c.moved, k.Held(), c.held)
			}
			if m.Step(-k.Held()); c.held != 0 {
				k.Check()
				if moved := k.Now().Sub(began) - 2*time.Minute; moved != c.moved || k.Held() != 0 {
					t.Errorf("undone: moved %v, want %v; held %v", moved, c.moved, k.Held())
				}
			}
		})
	}
}

// A machine that is set again and again, by whatever, and sleeps in between: what
// passes here is what passes, but for corrections that each are within the leeway.
func TestCheckLong(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := steadytest.New(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
		m.Pass(24 * time.Hour)
		k := New(m.Now, leeway, m.Uptime)
		began, passed, wrong := k.Now(), time.Duration(0), time.Duration(0)
		for range rapid.IntRange(1, 50).Draw(t, "times") {
			d := time.Duration(rapid.Int64Range(int64(2*time.Second), int64(time.Hour)).Draw(t, "by"))
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				m.Pass(d)
				passed += d
			case 1:
				m.Sleep(d)
				passed += d
			case 2:
				m.Step(d)
				wrong += d
			case 3:
				m.Step(-d)
				wrong -= d
			}
			k.Check()
			if off := k.Now().Sub(began) - passed; off.Abs() > leeway && (off-wrong).Abs() > leeway {
				t.Fatalf("%v off", off)
			}
			if off := k.Now().Sub(began) - passed + k.Held() - wrong; off != 0 {
				t.Fatalf("what is held is %v off", off)
			}
		}
	})
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	k := New(time.Now, leeway, nil)
	began := k.Now()
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			for range 200 {
				k.Check()
				if passed := k.Now().Sub(began); passed < 0 || passed > time.Hour {
					t.Errorf("%v have passed", passed)
				}
			}
		})
	}
	done.Wait()
}

// Where the system tells its uptime it is what passes.
func TestUptime(t *testing.T) {
	t.Parallel()
	a, known := Uptime()
	b, still := Uptime()
	if known != still || b < a || known && a == 0 {
		t.Errorf("%v %v, then %v %v", a, known, b, still)
	}
}
