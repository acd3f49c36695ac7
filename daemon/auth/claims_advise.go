package auth

import (
	"fmt"
	"maps"
	"slices"

	"github.com/nats-io/jwt/v2"
)

// AdviseAccounts says, for the log, what is wrong with JWTs that the configuration lists: nobody gets into those
// accounts.
func AdviseAccounts(jwts map[string]string) (lines []string) {
	for _, id := range slices.Sorted(maps.Keys(jwts)) {
		c, err := jwt.DecodeAccountClaims(jwts[id])
		if err != nil {
			lines = append(lines, fmt.Sprintf("Preloaded account [%s] not valid", id))
			continue
		}
		results := jwt.CreateValidationResults()
		c.Validate(results)
		if !results.IsBlocking(true) {
			continue
		}
		lines = append(lines, fmt.Sprintf("Account [%s] has validation issues:", id))
		for _, issue := range results.Issues {
			lines = append(lines, "  - "+issue.Description)
		}
	}
	return lines
}

// CheckServerVersion holds that a server is at least of the version that an operator asks for; want may be empty.
func CheckServerVersion(want, have string) error {
	if want == "" {
		return nil
	}
	major, minor, update, err := jwt.ParseServerVersion(want)
	if err != nil {
		return fmt.Errorf("expects version %s got error instead: %w", want, err)
	}
	m, n, u, err := jwt.ParseServerVersion(have)
	if err != nil {
		return err
	}
	for _, part := range []struct {
		name       string
		want, have int
	}{{"major", major, m}, {"minor", minor, n}, {"update", update, u}} {
		if part.want > part.have {
			return fmt.Errorf("expected %s version %d > server %s version %d", part.name, part.want, part.name, part.have)
		}
		if part.want < part.have {
			return nil
		}
	}
	return nil
}
