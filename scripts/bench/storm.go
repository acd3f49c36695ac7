package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stormHashes are of one password, stormPassword, at cost 11: one for each user, so that no server has seen a user before.
var stormHashes = [...]string{
	"$2a$11$xymFA0D5Fm2NffznOn7iJ.rRh8rovJ8iQAJJRZPOG3vUI5Nlbxr6G",
	"$2a$11$WxhLj.HhUHmX0NqlpBynLeiOayF26wJ8F.nhqT3LuOg7LRtksDHxS",
	"$2a$11$lCAw/mUmGHnRDvLlTXBsZOtVGirOy/hBEK518DqqpkM3oXxewHHZi",
	"$2a$11$4PcVJz/7V4w0pZxHwGHjFugfjM7EJzn.JN9RmSc4qEn2JTG.cl6.u",
	"$2a$11$1rM/Ht11pa2v5gtBtqQIT.RpI9mUylX9ZtLC8qJVHeMBF/6X.5B2K",
	"$2a$11$7s1FvnOOvQoiR2uhBb8VnuwUq3wQs.4Qlk9S4OeBEJMjMev0Zt/C.",
	"$2a$11$TbN4/fmoeEE0s9I8hXegzeIOMzraHWd4YUau/rvcYO8BxVKU2ms7u",
	"$2a$11$j2pzxdSMpIY.w6rWJR5H8uk5pWzEBjO7vktHs0k0YU3FqGYYun/ny",
}

const (
	stormPassword = "s-secret"
	stormLoops    = 30 // that connect with a wrong password, all from one address
)

func stormUser(i int) login { return login{user: fmt.Sprintf("u%d", i), pass: stormPassword} }

func stormConf() string {
	var b strings.Builder
	b.WriteString("authorization { users: [\n{ user: alice, password: a-secret }\n")
	for i, h := range stormHashes {
		fmt.Fprintf(&b, "{ user: %q, password: %q }\n", stormUser(i).user, h)
	}
	b.WriteString("] }\n")
	return b.String()
}

// loginInStorm measures how long it takes to log in with the right password, for users that were not there before,
// while others at the same address connect with wrong passwords as fast as they are refused. named gives the user that
// they name while the user with a number logs in. A login that is refused, or not decided on in time, is tried again:
// the time is that until it succeeded, at most patience.
func loginInStorm(named func(loggingIn int) string) func(*run) (result, error) {
	return func(r *run) (result, error) {
		var stop atomic.Bool
		var now atomic.Int64
		var loops sync.WaitGroup
		for range stormLoops {
			loops.Go(func() {
				for !stop.Load() {
					if c, err := r.srv.dial(login{user: named(int(now.Load())), pass: "wrong"}); err == nil {
						c.Close()
					}
				}
			})
		}
		defer func() {
			stop.Store(true)
			loops.Wait()
		}()
		time.Sleep(2 * time.Second) // until the storm is at its height
		var samples []int64
		used, took, err := r.costs(func() error {
			for i := range stormHashes {
				now.Store(int64(i))
				began := time.Now()
				for time.Since(began) < patience {
					c, err := r.srv.dial(stormUser(i))
					if err == nil {
						c.Close()
						break
					}
				}
				samples = append(samples, int64(time.Since(began)))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.Sort(samples)
		n := float64(len(samples))
		res := result{cpu: float64(used) / n, rate: n / took.Seconds()}
		res.latencies(samples)
		return res, nil
	}
}

// What the storm names: nobody, a user that does not log in now, the user that does.
func nameOfNobody(int) string { return fmt.Sprintf("x%d", rand.Uint32()) }
func nameOfAnother(now int) string {
	return stormUser((now + len(stormHashes) - 1) % len(stormHashes)).user
}
func nameOfTheUser(now int) string { return stormUser(now).user }
