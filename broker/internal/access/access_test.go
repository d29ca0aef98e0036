package access

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// Made by rabbit_password:salted_hash of RabbitMQ 3.10.8 with the salt 1, 2, 3,
// 255.
func TestHashesAreRabbitMQs(t *testing.T) {
	for _, c := range []struct {
		algorithm      Algorithm
		password, hash string
	}{
		{SHA256, "guest", "AQID/xvpjWMJ0bQ5+m7zlMQRWR2NgHM9PoCjxHr51G9lirOv"},
		{"", "guest", "AQID/xvpjWMJ0bQ5+m7zlMQRWR2NgHM9PoCjxHr51G9lirOv"},
		{SHA256, "test12", "AQID//aI+ja+nPKmZtb+msuoU70ywI0tK7SNfseIHuuiDfyN"},
		{SHA256, "é", "AQID/2/xZduqtvtxkEiJTh0ml6RZ7abp6PDH+MsHSObOj9BY"},
		{SHA512, "guest", "AQID/3kTfEJZJyCsCmQrt3KpbxRxuHg5xyQZnNqiY09bSKwAQ9wPdmHKJ6ynfKzE5XHPNyNOwy0Sxi0Bb/HGEJl9edA="},
		{SHA512, "é", "AQID/9dDF6b8mieuH+eRdx6px18PqdNBFRKsHlwiCr1Xt0fdaFtanGH4BOeiU3aaP/j0zCSyJhTrUsTayFFvrNQHOpw="},
		{MD5, "guest", "AQID/4TRtixK9Ed3Pxh+/S3q9rU="},
		{MD5, "test12", "AQID/7Q1NL8zpYRmjpGuDARw9Xw="},
	} {
		if c.algorithm == SHA256 {
			if got := HashPassword([]byte(c.password), [4]byte{1, 2, 3, 255}); got != c.hash {
				t.Errorf("HashPassword(%q) = %s, want %s", c.password, got, c.hash)
			}
		}
		if !VerifyHash(c.hash, c.algorithm, []byte(c.password)) {
			t.Errorf("%s: %q is not verified", c.algorithm, c.password)
		}
		for _, wrong := range []string{"", c.password + "x", c.password[1:], strings.ToUpper(c.password)} {
			if VerifyHash(c.hash, c.algorithm, []byte(wrong)) {
				t.Errorf("%s: %q is taken for %q", c.algorithm, wrong, c.password)
			}
		}
	}
}

func TestUnreadableHashesMatchNoPassword(t *testing.T) {
	good := NewHash([]byte("p"))
	for _, c := range []struct {
		hash      string
		algorithm Algorithm
	}{
		{"", SHA256}, {"!" + good, SHA256}, {good[:20], SHA256}, {good, SHA512}, {good, MD5}, {good, "bcrypt"},
	} {
		if VerifyHash(c.hash, c.algorithm, []byte("p")) {
			t.Errorf("%q as %q matches", c.hash, c.algorithm)
		}
		if c.hash != "" {
			if err := New().Put(User{Name: "u", PasswordHash: c.hash, Algorithm: c.algorithm}); err == nil {
				t.Errorf("a user is put with %q as %q", c.hash, c.algorithm)
			}
		}
	}
}

func TestNewHashesDifferAndVerify(t *testing.T) {
	a, b := NewHash([]byte("p")), NewHash([]byte("p"))
	if a == b {
		t.Error("the same salt twice")
	}
	if !VerifyHash(a, SHA256, []byte("p")) || !VerifyHash(b, SHA256, []byte("p")) {
		t.Error("a new hash does not verify")
	}
}

// The expectations were taken from Erlang's re:run, which RabbitMQ uses.
func TestPatternsAllowWhatRabbitMQAllows(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{".*", "anything", true},
		{".*", "line\nline", true},
		{"", "anything", false},
		{"^$", "anything", false},
		{"b", "abc", true},
		{"^b", "abc", false},
		{"^a", "abc", true},
		{"c$", "abc", true},
		{"^(a|b)$", "b", true},
		{"^a|b$", "xb", true},
		{"amq.default", "amq.default", true},
		{"^amq\\.", "amqx", false},
		{"A", "a", false},
		{"(?i)A", "a", true},
		{"a.b", "a\nb", false},
		{"^(?!amq\\.).*$", "amq.topic", false},
		{"^(?!amq\\.).*$", "mine", true},
		{"^(?!amq\\.)", "mine", true},
		{"^(?!a|b)(?!c).*", "b", false},
		{"^(?!a|b)(?!c).*", "c", false},
		{"^(?!a|b)(?!c).*", "d", true},
		{"^(?!a)(b|c)$", "c", true},
		{"^(?!a)(b|c)$", "d", false},
		{"^(?!a)[|]", "|", true},
		{"^(?=.*x)a", "abx", true},
		{"^(?=.*x)a", "ab", false},
		{"^(?![)a]b)", ")b", false},
		{"^(?![)a]b)", "cb", true},
		{"^(?![]a]b)", "]b", false},
		{"^(?![^]a]b)", "cb", false},
		{"^(?!\\))", ")", false},
		{"^(?!(a(b)))", "ab", false},
		{"^(?!(a(b)))", "aab", true},
	} {
		p, err := compile(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		for range 2 { // decided, and remembered
			if got := p.allows(c.name); got != c.want {
				t.Errorf("%q allows %q: %v", c.pattern, c.name, got)
			}
		}
	}
}

func TestUnusablePatternsAreRefused(t *testing.T) {
	u := New()
	put(t, u, "u", "p")
	for _, pattern := range []string{"(", "[", "a(?!b)", "^(?!a", "^(?!a)b|c", "^(?!a)*", "^(?!()b", "^(?<!a)b", "(a)\\1"} {
		err := u.SetPermissions("/", "u", Permissions{Configure: ".*", Write: pattern, Read: ".*"})
		var bad *PatternError
		if !errors.As(err, &bad) || bad.Permission != Write || bad.Pattern != pattern {
			t.Errorf("%q: %v", pattern, err)
		}
	}
	if len(u.Grants()) != 0 {
		t.Error("a refused permission was set")
	}
}

func TestPatternsRememberABoundedNumberOfNames(t *testing.T) {
	p, err := compile("^k.*5$")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		name := fmt.Sprintf("k%d", i)
		if got := p.allows(name); got != strings.HasSuffix(name, "5") {
			t.Fatalf("%s: %v", name, got)
		}
		if n := len(*p.decided.Load()); n > decidedLimit {
			t.Fatalf("%d names are remembered", n)
		}
	}
}

func put(t testing.TB, u *Users, name, password string) {
	t.Helper()
	if err := u.Put(User{Name: name, PasswordHash: NewHash([]byte(password)), Tags: []string{"management"}}); err != nil {
		t.Fatal(err)
	}
}

func TestAuthenticateRefusesWithTheReason(t *testing.T) {
	u := New()
	put(t, u, "u", "secret")
	if err := u.Put(User{Name: "certificate"}); err != nil {
		t.Fatal(err)
	}
	if err := u.PutDefault("/"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, password string
		loopback       bool
		want           string
	}{
		{"u", "secret", false, ""},
		{"u", "secret", true, ""},
		{"u", "secreT", true, "user 'u' - invalid credentials"},
		{"who", "secret", true, "user 'who' - invalid credentials"},
		{"certificate", "secret", true, "user 'certificate' - invalid credentials"},
		{"u", "", true, "user 'u' attempted to log in with a blank password, which lets nobody in"},
		{"guest", "guest", true, ""},
		{"guest", "guest", false, "user 'guest' can only connect via localhost"},
		{"guest", "wrong", false, "user 'guest' - invalid credentials"},
	} {
		p, err := u.Authenticate(c.name, []byte(c.password), c.loopback)
		got := ""
		if err != nil {
			got = err.Error()
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.User != c.name {
				t.Errorf("%v is no RefusedError for %s", err, c.name)
			}
		}
		if got != c.want {
			t.Errorf("%s/%s: %q, want %q", c.name, c.password, got, c.want)
		}
		if (p == nil) != (err != nil) || p != nil && p.Name != c.name {
			t.Errorf("%s/%s: principal %v with error %v", c.name, c.password, p, err)
		}
	}
	if VerifyHash(nobodyHash, SHA256, nil) {
		t.Error("nobody has a password")
	}
	if _, _, err := parseHash(nobodyHash, SHA256); err != nil {
		t.Errorf("nobody's hash is not compared: %v", err)
	}
	if p, err := u.AuthenticateVerified("certificate", false); err != nil || p.Name != "certificate" {
		t.Errorf("a verified user is not let in: %v", err)
	}
	if _, err := u.AuthenticateVerified("who", true); err == nil {
		t.Error("a verified name that is no user is let in")
	}
	if _, err := u.AuthenticateVerified("guest", false); err == nil {
		t.Error("a verified guest is let in from afar")
	}
}

func TestTheDefaultUserMayDoEverythingInItsVHost(t *testing.T) {
	u := New()
	if err := u.PutDefault("/"); err != nil {
		t.Fatal(err)
	}
	p, err := u.Authenticate("guest", []byte("guest"), true)
	if err != nil {
		t.Fatal(err)
	}
	if !p.HasTag("monitoring", "administrator") || p.HasTag("monitoring") {
		t.Errorf("tags %v", p.Tags)
	}
	for perm := Configure; perm <= Read; perm++ {
		if !u.Check(p, "/", perm, "q") || u.Check(p, "other", perm, "q") {
			t.Errorf("%s is wrong", perm)
		}
	}
	if !u.Allowed(p, "/") || u.Allowed(p, "other") {
		t.Error("the wrong vhost is open")
	}
}

func TestTheEmptyNameIsTheDefaultExchange(t *testing.T) {
	u := New()
	put(t, u, "u", "p")
	p, _ := u.Authenticate("u", []byte("p"), true)
	for pattern, want := range map[string]bool{"": false, "^$": false, "^amq\\.default$": true, ".*": true, "^x": false} {
		if err := u.SetPermissions("/", "u", Permissions{Write: pattern}); err != nil {
			t.Fatal(err)
		}
		if got := u.Check(p, "/", Write, ""); got != want {
			t.Errorf("%q lets the default exchange be written to: %v", pattern, got)
		}
	}
}

// Whatever is changed, a principal who logged in before is judged by what holds
// now, and the generation tells of it.
func TestChecksFollowEveryChange(t *testing.T) {
	names := rapid.SampledFrom([]string{"ann", "bob"})
	vhosts := rapid.SampledFrom([]string{"/", "v"})
	patterns := rapid.SampledFrom([]string{"", ".*", "^a", "^(?!a)"})
	allows := func(pattern, name string) bool {
		switch pattern {
		case ".*":
			return true
		case "^a":
			return name[0] == 'a'
		case "^(?!a)":
			return name[0] != 'a'
		}
		return false
	}
	rapid.Check(t, func(t *rapid.T) {
		u := New()
		users := make(map[string]bool)
		grants := make(map[grantKey]Permissions)
		principals := map[string]*Principal{"ann": {Name: "ann"}, "bob": {Name: "bob"}}
		generation := u.Generation()
		changed := func(t *rapid.T, change bool) {
			if change == (u.Generation() == generation) {
				t.Fatalf("the generation moved: %v, want %v", !change, change)
			}
			generation = u.Generation()
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				name := names.Draw(t, "name")
				if err := u.Put(User{Name: name}); err != nil {
					t.Fatal(err)
				}
				users[name] = true
				changed(t, true)
			},
			"delete": func(t *rapid.T) {
				name := names.Draw(t, "name")
				if found, err := u.Delete(name); found != users[name] || err != nil {
					t.Fatalf("Delete(%s) = %v, %v", name, found, err)
				}
				changed(t, users[name])
				delete(users, name)
				for k := range grants {
					if k.user == name {
						delete(grants, k)
					}
				}
			},
			"set": func(t *rapid.T) {
				k := grantKey{vhosts.Draw(t, "vhost"), names.Draw(t, "name")}
				p := Permissions{patterns.Draw(t, "configure"), patterns.Draw(t, "write"), patterns.Draw(t, "read")}
				err := u.SetPermissions(k.vhost, k.user, p)
				var unknown *NoUserError
				if errors.As(err, &unknown) == users[k.user] {
					t.Fatalf("SetPermissions: %v", err)
				}
				if users[k.user] {
					grants[k] = p
				}
				changed(t, users[k.user])
			},
			"clear": func(t *rapid.T) {
				k := grantKey{vhosts.Draw(t, "vhost"), names.Draw(t, "name")}
				_, had := grants[k]
				if found, err := u.ClearPermissions(k.vhost, k.user); found != had || err != nil {
					t.Fatalf("ClearPermissions = %v, %v", found, err)
				}
				delete(grants, k)
				changed(t, had)
			},
			"clear vhost": func(t *rapid.T) {
				vhost := vhosts.Draw(t, "vhost")
				if err := u.ClearVHost(vhost); err != nil {
					t.Fatal(err)
				}
				before := len(grants)
				for k := range grants {
					if k.vhost == vhost {
						delete(grants, k)
					}
				}
				changed(t, len(grants) < before)
			},
			"": func(t *rapid.T) {
				if len(u.List()) != len(users) || len(u.Grants()) != len(grants) {
					t.Fatalf("%d users, %d grants; want %d, %d", len(u.List()), len(u.Grants()), len(users), len(grants))
				}
				for _, g := range u.Grants() {
					if grants[grantKey{g.VHost, g.User}] != g.Permissions {
						t.Fatalf("%v is listed", g)
					}
				}
				for name, p := range principals {
					for _, vhost := range []string{"/", "v"} {
						want, ok := grants[grantKey{vhost, name}]
						if u.Allowed(p, vhost) != ok {
							t.Fatalf("%s is allowed into %s: %v", name, vhost, !ok)
						}
						for _, resource := range []string{"abc", "xyz"} {
							for perm, pattern := range []string{want.Configure, want.Write, want.Read} {
								if got := u.Check(p, vhost, Permission(perm), resource); got != (ok && allows(pattern, resource)) {
									t.Fatalf("%s may %s %s in %s: %v", name, Permission(perm), resource, vhost, got)
								}
							}
						}
					}
				}
			},
		})
	})
}

func TestUsersCanBeUsedFromManyGoroutines(t *testing.T) {
	u := New()
	put(t, u, "u", "p")
	p, err := u.Authenticate("u", []byte("p"), true)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				switch g {
				case 0:
					if err := u.SetPermissions("/", "u", Permissions{Write: "^k"}); err != nil {
						t.Error(err)
					}
				case 1:
					u.ClearPermissions("/", "u")
				default:
					u.Check(p, "/", Write, fmt.Sprint("k", i))
					u.Check(p, "v", Write, "k")
				}
			}
		})
	}
	wg.Wait()
	if err := u.SetPermissions("/", "u", Permissions{Write: "^k"}); err != nil || !u.Check(p, "/", Write, "k") {
		t.Errorf("what was set last does not hold: %v", err)
	}
}

func TestTheCallersSlicesAreNotShared(t *testing.T) {
	u, tags := New(), []string{"administrator"}
	if err := u.Put(User{Name: "u", Tags: tags}); err != nil {
		t.Fatal(err)
	}
	tags[0] = "changed"
	got, _ := u.Get("u")
	got.Tags[0] = "changed"
	u.List()[0].Tags[0] = "changed"
	if got, _ := u.Get("u"); got.Tags[0] != "administrator" {
		t.Errorf("tags are %v", got.Tags)
	}
}

func TestACheckLikeTheOneBeforeDoesNotAllocate(t *testing.T) {
	u := New()
	put(t, u, "u", "p")
	if err := u.SetPermissions("/", "u", Permissions{Write: "^k", Read: ".*"}); err != nil {
		t.Fatal(err)
	}
	p, _ := u.Authenticate("u", []byte("p"), true)
	u.Check(p, "/", Write, "k1")
	if n := testing.AllocsPerRun(100, func() {
		u.Check(p, "/", Write, "k1")
		u.Check(p, "/", Read, "k1")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, pattern := range []string{".*", "^k[0-9]+$"} {
		b.Run(pattern, func(b *testing.B) {
			u := New()
			put(b, u, "u", "p")
			if err := u.SetPermissions("/", "u", Permissions{Write: pattern}); err != nil {
				b.Fatal(err)
			}
			p, _ := u.Authenticate("u", []byte("p"), true)
			b.ReportAllocs()
			for b.Loop() {
				if !u.Check(p, "/", Write, "k1") {
					b.Fatal("refused")
				}
			}
		})
	}
}
