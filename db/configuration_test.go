package db

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/dispatch"
)

// configure writes things on top of what is there.
func (s *stage) configure(n dispatch.Nouns, remove ...string) {
	s.t.Helper()
	version, err := s.books.ConfigurationVersion(s.ctx)
	s.must(err)
	_, err = s.books.Configure(s.ctx, dispatch.ConfigurationChange{Base: version, At: s.now, By: alice, Put: n, Remove: remove})
	s.must(err)
}

func (s *stage) configuration() *dispatch.Configuration {
	s.t.Helper()
	c, err := s.books.Configuration(s.ctx)
	s.must(err)
	return c
}

func newModel(name string) dispatch.BehaviorModel {
	return dispatch.BehaviorModel{ID: dispatch.NewID(dispatch.PrefixBehaviorModel), Name: name, Enabled: true, Severity: dispatch.Medium, Version: 1, CreatedAt: noon, UpdatedAt: noon}
}

func newActor(name string, secrets map[string]dispatch.Secret) dispatch.Actor {
	at := map[string]time.Time{}
	for field := range secrets {
		at[field] = noon
	}
	return dispatch.Actor{
		ID: dispatch.NewID(dispatch.PrefixActor), Name: name, Kind: "post", Enabled: true, Settings: dispatch.JSON(`{"url": "https://x.example"}`),
		Secrets: secrets, SecretAt: at, Version: 1, CreatedAt: noon, UpdatedAt: noon,
	}
}

func newConfig(name string, version int) dispatch.APIConfig {
	return dispatch.APIConfig{
		ID: dispatch.NewID(dispatch.PrefixAPIConfig), Name: name, Kind: "post", Settings: dispatch.JSON(`{"text": "hello"}`),
		Version: version, CreatedAt: noon, UpdatedAt: noon,
	}
}

func newLambda(name string) dispatch.Lambda {
	text := "a text"
	return dispatch.Lambda{
		ID: dispatch.NewID(dispatch.PrefixLambda), Name: name, Description: &text, Source: "export default (alert) => alert",
		Config: dispatch.JSON(`{"net": "10.0.0.0/8"}`), OnError: dispatch.StopOnError, Version: 1, CreatedAt: noon, UpdatedAt: noon,
		Tests: []dispatch.LambdaTest{{Name: "drops", Alert: dispatch.JSON(`{"key":"x"}`)}, {Name: "keeps", Alert: dispatch.JSON(`{}`), Expect: dispatch.JSON(`{"key":null}`)}},
	}
}

// full is one thing of each sort, with every field set.
func full() dispatch.Nouns {
	text, group, hour := "a text", "Interruption", time.Hour
	m, config, actor := newModel("Sign-in"), newConfig("Page", 3), newActor("Post", map[string]dispatch.Secret{"token": "s3cret"})
	m.Group, m.Description = &group, &text
	lambda := newLambda("Widen")
	config.ActorID, config.FallbackID = &actor.ID, &config.ID
	a := dispatch.Action{
		ID: dispatch.NewID(dispatch.PrefixAction), Name: "Tell", Description: &text, Enabled: true, BehaviorModelIDs: []string{m.ID},
		BehaviorGroups: []string{group}, AllModels: true, Condition: &text, LambdaIDs: []string{lambda.ID},
		APIConfigIDs: []string{config.ID}, TicketPolicy: dispatch.PerAlert,
		Renotify: dispatch.RenotifyAfterInterval, RenotifyAfter: &hour, Version: 2, CreatedAt: noon, UpdatedAt: noon.Add(time.Second),
	}
	return dispatch.Nouns{
		BehaviorModels: []dispatch.BehaviorModel{m}, Actions: []dispatch.Action{a}, APIConfigs: []dispatch.APIConfig{config}, Actors: []dispatch.Actor{actor},
		Lambdas: []dispatch.Lambda{lambda},
	}
}

func TestConfigureKeepsEveryField(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		n := full()
		s.configure(n)
		c := s.configuration()
		if diff := cmp.Diff(n.BehaviorModels[0], c.BehaviorModels[n.BehaviorModels[0].ID]); diff != "" {
			t.Error("behavior model:", diff)
		}
		if diff := cmp.Diff(n.Actions[0], c.Actions[n.Actions[0].ID]); diff != "" {
			t.Error("action:", diff)
		}
		if diff := cmp.Diff(n.APIConfigs[0], c.APIConfigs[n.APIConfigs[0].ID]); diff != "" {
			t.Error("API config:", diff)
		}
		if diff := cmp.Diff(n.Actors[0], c.Actors[n.Actors[0].ID]); diff != "" {
			t.Error("actor:", diff)
		}
		if diff := cmp.Diff(n.Lambdas[0], c.Lambdas[n.Lambdas[0].ID]); diff != "" {
			t.Error("lambda:", diff)
		}
		if version, err := s.books.ConfigurationVersion(s.ctx); err != nil || version != c.Version {
			t.Errorf("version %d, %v; the configuration says %d", version, err, c.Version)
		}
	})
}

func TestConfigureRefusesWhatMoved(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		before := s.configuration().Version
		s.configure(dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{newModel("One")}})
		_, err := s.books.Configure(s.ctx, dispatch.ConfigurationChange{
			Base: before, At: s.now, By: alice, Put: dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{newModel("Two")}},
			Events: []dispatch.ConfigurationEvent{{At: s.now, By: alice, Kind: dispatch.Created, Type: dispatch.TypeBehaviorModel}},
		})
		if !errors.Is(err, dispatch.ErrStale) {
			t.Fatalf("a change on an old version gave %v, want ErrStale", err)
		}
		if c := s.configuration(); len(c.BehaviorModels) != 1 || c.Version != before+1 {
			t.Errorf("%d models at version %d after a refused change", len(c.BehaviorModels), c.Version)
		}
		if head, err := s.books.LedgerHead(s.ctx); err != nil || head != 0 {
			t.Errorf("the refused change left lines on the ledger: head %d, %v", head, err)
		}
	})
}

// TestConfigureAtOnce: of changes on one version, in two processes, one wins.
func TestConfigureAtOnce(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		stores := []*books{s.books, s.open()}
		base := s.configuration().Version
		errs := make([]error, 16)
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				_, errs[i] = stores[i%2].Configure(s.ctx, dispatch.ConfigurationChange{
					Base: base, At: s.now, By: alice, Put: dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{newModel("Same")}},
				})
			})
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, dispatch.ErrStale) {
				t.Error("a loser heard", err)
			}
		}
		if c := s.configuration(); won != 1 || len(c.BehaviorModels) != 1 || c.Version != base+1 {
			t.Errorf("%d changes won, %d models at version %d; want one", won, len(c.BehaviorModels), c.Version)
		}
	})
}

func TestNamesAreTakenWhateverTheirCase(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		s.configure(dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{newModel("Straße")}})
		version := s.configuration().Version
		_, err := s.books.Configure(s.ctx, dispatch.ConfigurationChange{
			Base: version, At: s.now, Put: dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{newModel(" STRAßE ")}},
		})
		if err == nil || errors.Is(err, dispatch.ErrStale) || errors.Is(err, dispatch.ErrUnavailable) {
			t.Errorf("a taken name gave %v", err)
		}
		if c := s.configuration(); len(c.BehaviorModels) != 1 || c.Version != version {
			t.Errorf("the refused change left %d models at version %d", len(c.BehaviorModels), c.Version)
		}
	})
}

func TestConfigureRepeated(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		m := newModel("One")
		change := dispatch.ConfigurationChange{
			At: s.now, By: alice, ID: m.ID, Put: dispatch.Nouns{BehaviorModels: []dispatch.BehaviorModel{m}},
			Repeat: &dispatch.Repeat{TokenID: "tok_1", Mutation: "create", Key: "k", Input: []byte("input"), Expires: s.now.Add(24 * time.Hour)},
		}
		if id, err := s.books.FirstAnswer(s.ctx, *change.Repeat, s.now); id != "" || err != nil {
			t.Fatalf("a new key was answered %q, %v", id, err)
		}
		first, err := s.books.Configure(s.ctx, change)
		s.must(err)
		again := change
		again.ID = "bhm_other"
		if id, err := s.books.Configure(s.ctx, again); id != first || err != nil || first != m.ID {
			t.Errorf("the repeat was answered %q, %v; the first %q", id, err, first)
		}
		if id, err := s.books.FirstAnswer(s.ctx, *change.Repeat, s.now); id != m.ID || err != nil {
			t.Errorf("the first answer is %q, %v", id, err)
		}
		other := *change.Repeat
		other.Input = []byte("other")
		if _, err := s.books.FirstAnswer(s.ctx, other, s.now); !errors.Is(err, dispatch.ErrKeyReused) {
			t.Errorf("another input gave %v, want ErrKeyReused", err)
		}
		again.Repeat = &other
		if _, err := s.books.Configure(s.ctx, again); !errors.Is(err, dispatch.ErrKeyReused) {
			t.Errorf("another input gave %v, want ErrKeyReused", err)
		}
		if id, err := s.books.FirstAnswer(s.ctx, *change.Repeat, s.now.Add(24*time.Hour)); id != "" || err != nil {
			t.Errorf("after a day the key is answered %q, %v", id, err)
		}
		if c := s.configuration(); len(c.BehaviorModels) != 1 || c.Version != 1 {
			t.Errorf("%d models at version %d after repeats of one change", len(c.BehaviorModels), c.Version)
		}
	})
}

// TestAPIConfigAt: what was promised can be read, whatever became of it.
func TestAPIConfigAt(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		old := newConfig("Page", 1)
		s.configure(dispatch.Nouns{APIConfigs: []dispatch.APIConfig{old}})
		now := old
		now.Name, now.Version, now.Settings = "Page at night", 2, dispatch.JSON(`{"text": "bye"}`)
		s.configure(dispatch.Nouns{APIConfigs: []dispatch.APIConfig{now}})
		s.configure(dispatch.Nouns{}, old.ID)
		for version, want := range map[int]dispatch.APIConfig{1: old, 2: now} {
			got, err := s.books.APIConfigAt(s.ctx, old.ID, version)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("version %d: %v %s", version, err, diff)
			}
		}
		if _, err := s.books.APIConfigAt(s.ctx, old.ID, 3); !errors.Is(err, dispatch.ErrNotFound) {
			t.Errorf("a version that never was gave %v, want ErrNotFound", err)
		}
		if len(s.configuration().APIConfigs) != 0 {
			t.Error("the removed API config is still there")
		}
	})
}

// TestLambdaAt: a decision names the version that ran, which can be read for ever.
func TestLambdaAt(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		old := newLambda("Widen")
		s.configure(dispatch.Nouns{Lambdas: []dispatch.Lambda{old}})
		now := old
		now.Version, now.Source = 2, "export default () => null"
		s.configure(dispatch.Nouns{Lambdas: []dispatch.Lambda{now}})
		s.configure(dispatch.Nouns{}, old.ID)
		for version, want := range map[int]dispatch.Lambda{1: old, 2: now} {
			got, err := s.books.LambdaAt(s.ctx, old.ID, version)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("version %d: %v %s", version, err, diff)
			}
		}
		if _, err := s.books.LambdaAt(s.ctx, old.ID, 3); !errors.Is(err, dispatch.ErrNotFound) || len(s.configuration().Lambdas) != 0 {
			t.Errorf("a version that never was gave %v", err)
		}
	})
}

func TestBuiltInActorsStay(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		kinds := []dispatch.Kind{{Name: "notification", Title: "Notifications", BuiltIn: true}, {Name: "slack", Title: "Slack"}}
		for range 2 { // the second opening adds nothing
			store, err := Open(s.ctx, s.url, Options{Keyring: s.keys, Kinds: kinds, Now: s.now})
			s.must(err)
			s.must(store.Close())
		}
		id := dispatch.BuiltInActorID("notification")
		s.configure(dispatch.Nouns{}, id)
		c := s.configuration()
		if a := c.Actors[id]; len(c.Actors) != 1 || !a.BuiltIn || a.Name != "Notifications" {
			t.Errorf("actors %+v, want the built-in one alone", c.Actors)
		}
		lines, err := s.books.ConfigurationEventsAfter(s.ctx, 0, 10)
		if err != nil || len(lines) != 1 || lines[0].TargetID != id || lines[0].Kind != dispatch.Created {
			t.Errorf("the ledger says %+v, %v; want that the actor was created, once", lines, err)
		}
	})
}

const secretText = "xoxb-very-secret-4711"

// TestSecretsAreSealed: whoever gets at the files or the rows learns nothing.
func TestSecretsAreSealed(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		n := dispatch.Nouns{Actors: []dispatch.Actor{newActor("Post", map[string]dispatch.Secret{"token": secretText})}}
		s.configure(n)
		if got := s.configuration().Actors[n.Actors[0].ID].Secrets["token"]; string(got) != secretText {
			t.Fatalf("the secret came back as %q", string(got))
		}
		if s.count("SELECT COUNT(*) FROM actors WHERE "+s.books.engine.contains+"(secrets, $1) > 0", secretText) != 0 {
			t.Error("the row holds the secret")
		}
		if s.isSQLite() {
			wantNowhere(t, filepath.Dir(strings.TrimPrefix(s.url, "sqlite:")), secretText)
		}
	})
}

// wantNowhere searches the files of a folder, raw.
func wantNowhere(t *testing.T, folder, text string) {
	t.Helper()
	files, err := os.ReadDir(folder)
	if err != nil || len(files) == 0 {
		t.Fatal("no files to search: ", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(raw), text) {
			t.Errorf("the file %s holds the secret", file.Name())
		}
	}
}

// TestSealedTextsStayInTheirRow: a sealed text that was moved to another actor,
// which its thief may know the address of, is refused.
func TestSealedTextsStayInTheirRow(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		n := dispatch.Nouns{Actors: []dispatch.Actor{newActor("A", map[string]dispatch.Secret{"token": secretText}), newActor("B", nil)}}
		s.configure(n)
		s.change("UPDATE actors SET secrets = (SELECT a.secrets FROM actors a WHERE a.id = $1) WHERE id = $2", n.Actors[0].ID, n.Actors[1].ID)
		_, err := s.books.Configuration(s.ctx)
		if err == nil || !strings.Contains(err.Error(), "sealed for another row") || strings.Contains(err.Error(), secretText) {
			t.Errorf("a moved secret gave %v", err)
		}
	})
}

func TestKeyFileOfAnotherDatabase(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		path := filepath.Join(t.TempDir(), "other")
		other, err := OpenKeyring(path)
		s.must(err)
		_, err = Open(s.ctx, s.url, Options{Keyring: other, Now: s.now})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "does not belong to this database") {
			t.Errorf("a wrong key file gave %v", err)
		}
	})
}

// TestKeysRotate: a new first key seals, the old ones still unseal.
func TestKeysRotate(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *stage) {
		n := dispatch.Nouns{Actors: []dispatch.Actor{newActor("Post", map[string]dispatch.Secret{"token": secretText})}}
		s.configure(n)
		old, err := os.ReadFile(s.keys.path)
		s.must(err)
		s.must(os.WriteFile(s.keys.path, append([]byte("new "+strings.Repeat("ab", keyBytes)+"\n"), old...), 0o600))
		s.keys, err = OpenKeyring(s.keys.path)
		s.must(err)
		s.books = s.open()
		if got := s.configuration().Actors[n.Actors[0].ID].Secrets["token"]; string(got) != secretText {
			t.Errorf("under a new key the secret came back as %q", string(got))
		}
		s.configure(n)
		if s.count("SELECT COUNT(*) FROM actors WHERE "+s.books.engine.contains+"(secrets, 'new.') = 1") != 1 {
			t.Error("the secret was not sealed with the new key")
		}
	})
}
