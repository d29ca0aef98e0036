package access

import (
	"cmp"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// kept is what somebody knows who has only been told of changes.
type kept struct {
	users  map[string]User
	grants map[grantKey]Grant
}

func (k *kept) keep(changes []Change) error {
	for _, c := range changes {
		switch {
		case c.User != nil && c.Removed:
			delete(k.users, c.User.Name)
		case c.User != nil:
			k.users[c.User.Name] = *c.User
		case c.Removed:
			delete(k.grants, grantKey{c.Grant.VHost, c.Grant.User})
		default:
			k.grants[grantKey{c.Grant.VHost, c.Grant.User}] = *c.Grant
		}
	}
	return nil
}

func TestWhoKeepsEveryChangeHasEverything(t *testing.T) {
	names := rapid.SampledFrom([]string{"ann", "bob"})
	vhosts := rapid.SampledFrom([]string{"/", "v"})
	rapid.Check(t, func(t *rapid.T) {
		u := New()
		k := &kept{users: make(map[string]User), grants: make(map[grantKey]Grant)}
		full := errors.New("full")
		refusing := false
		u.Keep(func(changes []Change) error {
			if len(changes) == 0 {
				t.Fatal("it was told of nothing")
			}
			if refusing {
				return full
			}
			return k.keep(changes)
		})
		// do makes a change; when it is refused, nothing may have changed.
		do := func(t *rapid.T, change func() error) {
			refusing = rapid.Bool().Draw(t, "refusing")
			users, grants, generation := u.List(), u.Grants(), u.Generation()
			err := change()
			var unknown *NoUserError
			switch {
			case err == nil || errors.As(err, &unknown):
				return
			case !refusing || !errors.Is(err, full):
				t.Fatal(err)
			}
			if !reflect.DeepEqual(users, u.List()) || !reflect.DeepEqual(grants, u.Grants()) || generation != u.Generation() {
				t.Fatal("what was refused has changed something")
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				user := User{
					Name: names.Draw(t, "name"), LoopbackOnly: rapid.Bool().Draw(t, "loopback"),
					Tags: rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 1, 2).Draw(t, "tags"),
				}
				do(t, func() error { return u.Put(user) })
			},
			"set": func(t *rapid.T) {
				vhost, name, p := vhosts.Draw(t, "vhost"), names.Draw(t, "name"), rapid.SampledFrom([]string{"", ".*"}).Draw(t, "p")
				do(t, func() error { return u.SetPermissions(vhost, name, Permissions{p, ".*", p}) })
			},
			"delete": func(t *rapid.T) {
				name := names.Draw(t, "name")
				do(t, func() error { _, err := u.Delete(name); return err })
			},
			"clear": func(t *rapid.T) {
				vhost, name := vhosts.Draw(t, "vhost"), names.Draw(t, "name")
				do(t, func() error { _, err := u.ClearPermissions(vhost, name); return err })
			},
			"clear vhost": func(t *rapid.T) {
				vhost := vhosts.Draw(t, "vhost")
				do(t, func() error { return u.ClearVHost(vhost) })
			},
			"": func(t *rapid.T) {
				users := slices.SortedFunc(maps.Values(k.users), func(a, b User) int { return cmp.Compare(a.Name, b.Name) })
				if got := u.List(); len(got) != len(users) || len(got) > 0 && !reflect.DeepEqual(got, users) {
					t.Fatalf("kept %v, there are %v", users, got)
				}
				if got := u.Grants(); len(got) != len(k.grants) {
					t.Fatalf("kept %v, there are %v", k.grants, got)
				}
				for _, g := range u.Grants() {
					if k.grants[grantKey{g.VHost, g.User}] != g {
						t.Fatalf("%v is not kept", g)
					}
				}
			},
		})
	})
}

func TestOneChangeAtATimeIsKeptAndChecksDoNotWaitForIt(t *testing.T) {
	u := New()
	if err := u.PutDefault("/"); err != nil {
		t.Fatal(err)
	}
	keeping, keep := make(chan struct{}), make(chan error)
	u.Keep(func([]Change) error {
		keeping <- struct{}{}
		return <-keep
	})
	changed := make(chan error, 2)
	go func() { changed <- u.ClearVHost("/") }()
	<-keeping
	go func() { changed <- u.Put(User{Name: "ann"}) }()
	p, err := u.Authenticate("guest", []byte("guest"), true)
	if err != nil || !u.Check(p, "/", Read, "q") {
		t.Errorf("while a change is being stored: %v", err)
	}
	keep <- nil
	if err := <-changed; err != nil || u.Check(p, "/", Read, "q") {
		t.Errorf("once it is: %v", err)
	}
	<-keeping
	if _, there := u.Get("ann"); there {
		t.Error("a user who is not stored yet is there")
	}
	keep <- errors.New("no")
	if err := <-changed; err == nil || err.Error() != "no" {
		t.Error(err)
	}
	u.Keep(nil)
	if err := u.Put(User{Name: "ann"}); err != nil {
		t.Error(err)
	}
}
