package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tocsin/lambda"
)

// Books says where the database and its key are.
type Books struct {
	Data     string `help:"Directory of the database and the key file, where those are not given." default:"tocsin-data" type:"path"`
	Database string `help:"Database, as sqlite:PATH; else tocsin.db in the data directory." placeholder:"URL"`
	KeyFile  string `help:"File with the key that seals secrets, made at the first start (0600); else key in the data directory. Keep a copy apart from the database." type:"path" placeholder:"PATH"`
}

func (b *Books) setDefaults() error {
	if storageName(b.Database) == "postgresql" {
		return errors.New("--database: PostgreSQL is not offered yet; give sqlite:PATH")
	}
	if b.Database == "" || b.KeyFile == "" {
		if err := os.MkdirAll(b.Data, 0o700); err != nil {
			return fmt.Errorf("--data: the directory cannot be made: %w; choose another", err)
		}
	}
	if b.Database == "" {
		b.Database = "sqlite:" + filepath.Join(b.Data, "tocsin.db")
	}
	if b.KeyFile == "" {
		b.KeyFile = filepath.Join(b.Data, "key")
	}
	return nil
}

// sqlite is the name of the storage that is one file.
const sqlite = "sqlite"

// storageName is what the API and the log call the kind of a database.
func storageName(database string) string {
	if strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://") {
		return "postgresql"
	}
	return sqlite
}

// Sandbox measures the processes that run lambdas and templates with logic.
type Sandbox struct {
	LambdaWorkers  int           `help:"Processes that run lambdas and templates, at most one a processor." default:"2"`
	LambdaDeadline time.Duration `help:"Time that one call of a lambda or a template may take." default:"250ms"`
	LambdaMemory   int           `help:"Memory that one call of a lambda may take, in MiB." default:"64"`
}

func (s Sandbox) check() (faults []error) {
	if s.LambdaWorkers < 1 || s.LambdaWorkers > 256 {
		faults = append(faults, fmt.Errorf("--lambda-workers: %d is outside 1 to 256", s.LambdaWorkers))
	}
	if s.LambdaDeadline < 10*time.Millisecond || s.LambdaDeadline > 10*time.Second {
		faults = append(faults, fmt.Errorf("--lambda-deadline: %v is outside 10ms to 10s", s.LambdaDeadline))
	}
	if s.LambdaMemory < 16 || s.LambdaMemory > 1024 {
		faults = append(faults, fmt.Errorf("--lambda-memory: %d is outside 16 to 1024", s.LambdaMemory))
	}
	return faults
}

// crew makes the sandbox; nothing is started before it is first needed.
func (s Sandbox) crew(log *slog.Logger) *lambda.Crew {
	return lambda.NewCrew(lambda.Options{
		Size: s.LambdaWorkers, Deadline: s.LambdaDeadline, Memory: int64(s.LambdaMemory) << 20, Log: log,
	})
}

// Serve is the command that runs the server.
type Serve struct {
	Books
	Listen        string   `help:"Address to listen on." default:"127.0.0.1:8080"`
	PublicURL     string   `name:"public-url" help:"Where people reach this server; ticket links begin with it. Else made from --listen." placeholder:"URL"`
	AllowOutbound []string `help:"Private and loopback networks that actors may reach, as CIDR; none unless given." placeholder:"CIDR"`
	AllowOrigin   []string `help:"Origins whose pages may open a WebSocket, such as https://console.example.com; only this server's own unless given." placeholder:"ORIGIN"`
	UnknownModels string   `help:"What becomes of an alert of a behavior model that nobody registered." enum:"register,reject" default:"register"`
	Introspection bool     `help:"Let tokens ask for the schema." default:"true" negatable:""`
	Sandbox
	LogFormat string `help:"Format of the log on standard error." enum:"text,json" default:"text"`
	Demo      bool   `help:"Serve an example in a throw-away directory, with a receiver of its own."`
}

// check reports all faults of the configuration at once, each with the name
// that the operator typed.
func (s *Serve) check() (allow []netip.Prefix, err error) {
	faults := s.Sandbox.check()
	for _, text := range s.AllowOutbound {
		prefix, err := parsePrefix(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("--allow-outbound: %q is not a network; give one such as 10.0.0.0/8", text))
			continue
		}
		allow = append(allow, prefix)
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
			faults = append(faults, fmt.Errorf("--public-url: %q is not a web address; give one such as https://tocsin.example.com", s.PublicURL))
		}
		s.PublicURL = strings.TrimRight(s.PublicURL, "/")
	}
	for _, origin := range s.AllowOrigin {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || u.Path != "" {
			faults = append(faults, fmt.Errorf("--allow-origin: %q is not an origin; give one such as https://console.example.com", origin))
		}
	}
	return allow, errors.Join(faults...)
}

// parsePrefix reads a network, or an address as the network of it alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
