package confdiff

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// effective are the fields of /varz that say what the configuration came to.
var effective = []string{
	"server_name", "host", "max_connections", "max_subscriptions", "ping_interval", "ping_max", "http_host", "http_base_path",
	"https_port", "auth_timeout", "auth_required", "max_control_line", "max_payload", "max_pending", "tls_timeout",
	"tls_required", "tls_verify", "write_deadline", "tags", "metadata", "system_account", "cluster", "config_digest",
	"client_advertise", "proto",
}

var monitorLine = regexp.MustCompile(`Starting http monitor on (\S+)`)

// varz starts a command with a configuration and returns what its /varz says.
func varz(t *testing.T, command, dir string, named bool) map[string]any {
	t.Helper()
	cmd := exec.Command(command, "-c", "main.conf", "-a", "127.0.0.1", "-p", "-1", "-m", "-1")
	cmd.Dir, cmd.Env = dir, environment
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	address, ready, said := "", false, []string{}
	for lines := bufio.NewScanner(stderr); !ready && lines.Scan(); {
		said = append(said, lines.Text())
		if m := monitorLine.FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
		ready = strings.Contains(lines.Text(), "Server is ready")
	}
	if !ready && len(said) > 0 && unsupported.MatchString(said[len(said)-1]) {
		t.Skip(said[len(said)-1])
	}
	if !ready || address == "" {
		t.Fatalf("%s did not start:\n%s", filepath.Base(command), strings.Join(said, "\n"))
	}
	base := ""
	if text, err := os.ReadFile(filepath.Join(dir, "main.conf")); err == nil && strings.Contains(string(text), `http_base_path: "/nats"`) {
		base = "/nats"
	}
	resp, err := http.Get(fmt.Sprintf("http://%s%s/varz", address, base))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	all := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if !named {
		delete(all, "server_name") // made up at the start
	}
	for key := range all {
		if !slices.Contains(effective, key) {
			delete(all, key)
		}
	}
	return all
}

// A running server has the same effective values as nats-server, where that tells them.
func TestEffectiveValues(t *testing.T) {
	c, pending := newChecker(t), list(t, "varz_pending.txt")
	text, err := os.ReadFile("testdata/varz.txt")
	if err != nil {
		t.Fatal(err)
	}
	certs := filepath.Join(c.module, "test", "configs", "certs")
	for name, files := range cases(t, strings.ReplaceAll(string(text), "@CERTS@", certs)) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, text := range files {
				if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			named := strings.Contains(files["main.conf"], "server_name")
			ours, theirs := varz(t, c.broker, dir, named), varz(t, c.server, dir, named)
			for _, key := range effective {
				same := reflect.DeepEqual(ours[key], theirs[key])
				if _, ok := pending[name+": "+key]; ok == same {
					t.Errorf("%s: %v, nats-server has %v; in varz_pending.txt: %v", key, ours[key], theirs[key], ok)
				}
			}
		})
	}
}
