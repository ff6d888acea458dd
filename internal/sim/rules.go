package sim

// Rule is one column of the report.
type Rule struct {
	Name string
	Long string
	// answer is nil for ours.
	answer rule
}

// Rules are ours and the four others, in the order of the report.
func Rules() []Rule {
	return []Rule{
		{Name: "Remuda", Long: "this library, as configured by default: the real manager on two or three nodes"},
		{Name: "single use", Long: "a refresh token is good once; its second use ends the session", answer: strict},
		{Name: "30 s, new child", Long: "within 30 s of its first use a token is answered with a new successor, which displaces the first; use of a displaced or older one ends the session", answer: newChild},
		{Name: "60 s, fork", Long: "within 60 s of its first use a token is answered with a further successor, and all of them live; later use ends the session", answer: fork},
		{Name: "one behind", Long: "the token before the newest is always answered with the newest; older ones end the session", answer: oneBehind},
	}
}

// PlayRule plays a case against a rule that is not ours.
func PlayRule(r Rule, c *Case, seed uint64, sessions int) Result {
	w := &World{}
	return play(w, newRival(w, r.answer, c.Failover > 0 || c.lostEnd()), c, seed, sessions)
}

// Row is a case with what it came to, in the order of [Rules].
type Row struct {
	Case    Case
	Results []Result
}

// Sessions is how many sessions of a case are played against our rule. Thieves
// that are never found play for two weeks each, so there are fewer of them.
func (c *Case) Sessions(n int) int {
	if c.Thief != nil && !c.Bound {
		return max(n/10, 20)
	}
	return n
}

// RivalSessions is the same for the other rules, whose failures are common.
func (c *Case) RivalSessions(n int) int { return max(n/10, 20) }

// Broken says what is wrong with a result of our rule, or "".
func (c *Case) Broken(r *Result) string {
	switch {
	case !c.Bound:
		return ""
	case c.Thief == nil && r.Out > 0:
		return "honest clients were signed out"
	case c.Thief == nil && c.SSRAgent == "" && r.Conflicts > 0:
		return "one client was taken for two"
	case c.Thief != nil && r.Thieves == 0:
		return "no thief has done anything"
	case c.Thief != nil && r.Caught() < r.Thieves:
		return "thieves got away"
	case c.Within > 0 && r.Worst() > c.Within:
		return "thieves were noticed too late"
	default:
		return ""
	}
}
