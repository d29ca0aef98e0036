package definitions

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/warrenmq/warren/broker/internal/access"
)

// RabbitVersion is the version of RabbitMQ that whoever reads definitions may take Warren for: the one that the AMQP 0-9-1
// front tells its clients.
const RabbitVersion = "4.3.5"

// Definitions is the contents of a definitions.json.
type Definitions struct {
	RabbitVersion    string            `json:"rabbit_version"`   // the RabbitMQ whose form this is
	RabbitMQVersion  string            `json:"rabbitmq_version"` // the same
	ProductName      string            `json:"product_name"`
	ProductVersion   string            `json:"product_version"`
	Users            []User            `json:"users"`
	VHosts           []VHost           `json:"vhosts"`
	Permissions      []Permission      `json:"permissions"`
	TopicPermissions []TopicPermission `json:"topic_permissions"`
	Parameters       []Parameter       `json:"parameters"`
	GlobalParameters []GlobalParameter `json:"global_parameters"`
	Policies         []Policy          `json:"policies"`
	Queues           []Queue           `json:"queues"`
	Exchanges        []Exchange        `json:"exchanges"`
	Bindings         []Binding         `json:"bindings"`
}

// User is somebody who may log in.
type User struct {
	Name             string           `json:"name"`
	PasswordHash     string           `json:"password_hash"` // empty: no password lets this user in
	HashingAlgorithm access.Algorithm `json:"hashing_algorithm"`
	Tags             Tags             `json:"tags"`
	Limits           struct{}         `json:"limits"` // of connections and channels: users have none here
	LoopbackOnly     bool             `json:"-"`      // in RabbitMQ a matter of its configuration (loopback_users)
}

// UserOf returns a user as a definition.
func UserOf(u access.User) User {
	d := User{
		Name: u.Name, PasswordHash: u.PasswordHash, HashingAlgorithm: u.Algorithm, Tags: u.Tags, LoopbackOnly: u.LoopbackOnly,
	}
	if d.HashingAlgorithm == "" {
		d.HashingAlgorithm = access.SHA256
	}
	return d
}

// User returns the user that the definition describes.
func (d User) User() access.User {
	return access.User{
		Name: d.Name, PasswordHash: d.PasswordHash, Algorithm: d.HashingAlgorithm, Tags: d.Tags, LoopbackOnly: d.LoopbackOnly,
	}
}

// Tags are a user's tags. RabbitMQ before 3.8 wrote them as one string, with commas.
type Tags []string

// MarshalJSON returns an array.
func (t Tags) MarshalJSON() ([]byte, error) { return json.Marshal(append([]string{}, t...)) }

// UnmarshalJSON takes an array, or a string with commas.
func (t *Tags) UnmarshalJSON(data []byte) error {
	if len(data) == 0 || data[0] != '"' {
		return json.Unmarshal(data, (*[]string)(t))
	}
	var all string
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*t = nil
	for tag := range strings.SplitSeq(all, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			*t = append(*t, tag)
		}
	}
	return nil
}

// VHost is a name space of exchanges and queues.
type VHost struct {
	Name string `json:"name"`
}

// Permission is what a user may do in a vhost: regular expressions, of which the empty one allows nothing.
type Permission struct {
	User      string `json:"user"`
	VHost     string `json:"vhost"`
	Configure string `json:"configure"`
	Write     string `json:"write"`
	Read      string `json:"read"`
}

// PermissionOf returns a grant as a definition.
func PermissionOf(g access.Grant) Permission {
	return Permission{User: g.User, VHost: g.VHost, Configure: g.Configure, Write: g.Write, Read: g.Read}
}

// TopicPermission is which routing keys a user may use with a topic exchange.
type TopicPermission struct {
	User     string `json:"user"`
	VHost    string `json:"vhost"`
	Exchange string `json:"exchange"`
	Write    string `json:"write"`
	Read     string `json:"read"`
}

// Parameter is a setting of a component in a vhost.
type Parameter struct {
	Value     json.RawMessage `json:"value"`
	VHost     string          `json:"vhost"`
	Component string          `json:"component"`
	Name      string          `json:"name"`
}

// GlobalParameter is a setting of the whole broker.
type GlobalParameter struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// Policy gives arguments to the queues and exchanges whose names match.
type Policy struct {
	VHost      string `json:"vhost"`
	Name       string `json:"name"`
	Pattern    string `json:"pattern"`
	ApplyTo    string `json:"apply-to"` // "all", "queues" or "exchanges"
	Definition Args   `json:"definition"`
	Priority   int64  `json:"priority"`
}

// Queue is a queue.
type Queue struct {
	Name       string `json:"name"`
	VHost      string `json:"vhost"`
	Durable    bool   `json:"durable"`
	AutoDelete bool   `json:"auto_delete"`
	Args       Args   `json:"arguments"`

	// Stream is the id of the queue's messages in the store; 0 is none. A queue that is deleted and declared again has another.
	Stream uint64 `json:"-"`
	// CreatedAt is in milliseconds since 1970. 0 is unknown.
	CreatedAt int64 `json:"-"`
}

// Exchange is an exchange.
type Exchange struct {
	Name       string `json:"name"`
	VHost      string `json:"vhost"`
	Type       string `json:"type"`
	Durable    bool   `json:"durable"`
	AutoDelete bool   `json:"auto_delete"`
	Internal   bool   `json:"internal"`
	Args       Args   `json:"arguments"`
}

// What a binding leads to.
const (
	ToQueue    = "queue"
	ToExchange = "exchange"
)

// Binding leads from an exchange to a queue or to another exchange. What tells it from others is all of it; the order of
// its arguments is not.
type Binding struct {
	Source          string `json:"source"`
	VHost           string `json:"vhost"`
	Destination     string `json:"destination"`
	DestinationType string `json:"destination_type"` // ToQueue or ToExchange
	RoutingKey      string `json:"routing_key"`
	Args            Args   `json:"arguments"`
}

// Encode writes d as JSON, indented. What there is none of is an empty list.
func (d Definitions) Encode(w io.Writer) error {
	listed(&d.Users)
	listed(&d.VHosts)
	listed(&d.Permissions)
	listed(&d.TopicPermissions)
	listed(&d.Parameters)
	listed(&d.GlobalParameters)
	listed(&d.Policies)
	listed(&d.Queues)
	listed(&d.Exchanges)
	listed(&d.Bindings)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

// listed makes nil an empty list, which JSON writes as such.
func listed[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}

// Decode reads JSON. Fields that are not known are passed over; nothing is checked but the form.
func Decode(r io.Reader) (*Definitions, error) {
	d := new(Definitions)
	if err := json.NewDecoder(r).Decode(d); err != nil {
		return nil, fmt.Errorf("not the definitions of a broker: %w", err)
	}
	return d, nil
}
