package sim

import "time"

// Cases are all of them, in the order of the report.
func Cases() []Case {
	var all []Case
	for _, group := range [][]Case{honestCases(), beyondCases(), thiefCases(), remainingCases()} {
		for _, c := range group {
			all = append(all, c.ready())
		}
	}
	return all
}

// honestCases lie inside our bounds: a request is in flight for at most Grace
// less the spread of the nodes' clocks. Nobody may be signed out.
func honestCases() []Case {
	list := []Case{
		{Name: "one tab, good network"},
		{Name: "2–8 tabs together", Tabs: [2]int{2, 8}, Late: 0.1, Dup: 0.02},
		{Name: "tabs that refresh on every page", Eager: true, Rounds: 40, Tabs: [2]int{1, 4}, Loss: 0.05, Late: 0.2},
		{Name: "server rendering, 10 at once", Burst: 10, Rounds: 12, PageLoss: 0.02},
		{Name: "relay whose pages are lost (20 %)", Burst: 2, PageLoss: 0.2},
		{Name: "browser and server differ", Burst: 4, Tabs: [2]int{1, 3}, SSRAgent: node22, PageLoss: 0.1, Loss: 0.05, Rounds: 15},
		{Name: "10 % of answers lost", Loss: 0.1, Late: 0.1, Dup: 0.02},
		{Name: "20 % lost, late, out of order", Loss: 0.2, Late: 0.3, Dup: 0.05, Tabs: [2]int{1, 3}},
		{Name: "30 % lost, retry after 3 s", Loss: 0.3, Late: 0.1, Wait: 3 * time.Second, Tabs: [2]int{1, 3}},
		{Name: "30 % lost, Idempotency-Key, retry after 3 s", Loss: 0.3, Late: 0.2, Wait: 3 * time.Second, Keys: KeyRandom},
		{Name: "30 % lost, Idempotency-Key, retry after 10 s", Loss: 0.3, Late: 0.2, Keys: KeyRandom},
		{Name: "laptop asleep for hours", Sleep: 0.3, Tabs: [2]int{1, 4}, Loss: 0.05, Late: 0.1},
		{Name: "asleep, with Idempotency-Key", Sleep: 0.3, Tabs: [2]int{1, 4}, Loss: 0.05, Keys: KeyMixed},
		{Name: "one constant key (client's mistake)", Loss: 0.1, Late: 0.1, Tabs: [2]int{1, 3}, Keys: KeyConstant},
		{Name: "node crashes before answering", Crash: 0.05, Tabs: [2]int{1, 3}, Loss: 0.05, Late: 0.1},
		{Name: "clocks ±15 s, store tells time", StoreClock: true, Skews: []time.Duration{-15 * time.Second, 0, 15 * time.Second}, Tabs: [2]int{1, 4}, Late: 0.3},
		{Name: "failover loses the last second", Failover: 0.2, Tabs: [2]int{1, 3}, Loss: 0.1, Late: 0.1},
	}
	for i := range list {
		list[i].Agent = firefox
		list[i].Bound = true
	}
	// Nothing is known of this client, so that Grace is 10 seconds.
	list = append(list, Case{Name: "no client facts", Bound: true, Tabs: [2]int{1, 4}, Loss: 0.1, Late: 0.2, Flight: 8 * time.Second})
	return list
}

// beyondCases are honest, and outside of our bounds. Nothing is promised.
func beyondCases() []Case {
	list := []Case{
		{Name: "30 % lost, retry after 10 s", Note: "by the streak", Loss: 0.3, Late: 0.2},
		{Name: "in flight for up to 90 s", Late: 0.3, Flight: 90 * time.Second, Tabs: [2]int{1, 4}},
		{Name: "clocks ±15 s, uncorrected", Skews: []time.Duration{-15 * time.Second, 0, 15 * time.Second}, Tabs: [2]int{1, 4}, Late: 0.3},
		{Name: "relay that does not mark its uses", Burst: 2, PageLoss: 0.2, Unmarked: true},
		{Name: "failovers, sleep and late answers at once", Failover: 0.5, Sleep: 0.3, Tabs: [2]int{1, 4}, Loss: 0.1, Late: 0.3},
	}
	for i := range list {
		list[i].Agent = firefox
	}
	return list
}

// thiefCases are those that are ended or refused.
func thiefCases() []Case {
	minutes := func(p Plan) *Plan {
		p.From, p.To = time.Minute, 5*time.Minute
		return &p
	}
	inGrace := func(p Plan) *Plan {
		p.From, p.To = 3*time.Second, 20*time.Second
		return &p
	}
	list := []Case{
		{Name: "alternating", Thief: &Plan{Move: MoveAlternate}},
		{Name: "alternating, another client", Thief: &Plan{Move: MoveAlternate, Other: true}},
		{Name: "alternating, silent", Thief: &Plan{Move: MoveAlternate, Silent: true}},
		{Name: "minutes behind", Thief: minutes(Plan{Move: MoveBehind})},
		{Name: "seconds behind, another client", Thief: inGrace(Plan{Move: MoveBehind, Other: true})},
		{Name: "two generations behind, seconds after", Within: time.Minute, Thief: inGrace(Plan{Move: MoveBehind, Lag: 1})},
		{Name: "minutes ahead", Thief: minutes(Plan{Move: MoveAhead})},
		{Name: "seconds ahead, another client", Thief: inGrace(Plan{Move: MoveAhead, Other: true})},
		{Name: "minutes ahead, silent", Thief: minutes(Plan{Move: MoveAhead, Silent: true})},
		{Name: "6–20 s ahead, silent", Thief: &Plan{Move: MoveAhead, Silent: true, From: 6 * time.Second, To: 20 * time.Second}},
		{Name: "copies the jar every time", Thief: minutes(Plan{Move: MoveCopy})},
		{Name: "copies the jar every 4th time", Thief: minutes(Plan{Move: MoveCopy, Every: 4})},
		{Name: "copies every time, silent", Thief: minutes(Plan{Move: MoveCopy, Silent: true})},
		{Name: "knows token and key", Keys: KeyRandom, Thief: minutes(Plan{Move: MoveOverhear})},
		{Name: "repeats one request with its key", Keys: KeyRandom, Thief: minutes(Plan{Move: MoveOverhear, Repeat: true})},
		{Name: "constant key, minutes behind", Within: time.Minute, Keys: KeyConstant, Thief: minutes(Plan{Move: MoveBehind, Keys: KeyConstant})},
		{Name: "derived key, minutes behind", Note: "by the streak only", Keys: KeyDerived, Thief: minutes(Plan{Move: MoveBehind, Keys: KeyDerived})},
		{Name: "derived key, silent ahead", Note: "by the streak only", Keys: KeyDerived, Thief: minutes(Plan{Move: MoveAhead, Keys: KeyDerived, Silent: true})},
	}
	return owned(list, true)
}

// remainingCases are thieves that no such rule stops.
func remainingCases() []Case {
	grace := Plan{From: 3 * time.Second, To: 20 * time.Second}
	behind, ahead := grace, grace
	behind.Move, ahead.Move = MoveBehind, MoveAhead
	return owned([]Case{
		{Name: "lock-step: seconds behind, same client", Thief: &behind},
		{Name: "lock-step: seconds ahead, same client", Thief: &ahead},
		{Name: "silent, 1–4 s ahead", Thief: &Plan{Move: MoveAhead, Silent: true, From: time.Second, To: 4 * time.Second}},
		{Name: "silent copy every other time", Thief: &Plan{Move: MoveCopy, Silent: true, Every: 2, From: time.Minute, To: 5 * time.Minute}},
		{Name: "a failover loses the end", Thief: &Plan{Move: MoveAlternate, LostEnd: true}},
	}, false)
}

// owned gives the thieves an ordinary owner to steal from.
func owned(list []Case, bound bool) []Case {
	for i := range list {
		list[i].Agent, list[i].Loss, list[i].Bound = firefox, 0.02, bound
	}
	return list
}
