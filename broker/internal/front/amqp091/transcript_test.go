package amqp091

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/warrenmq/warren/broker/internal/access"
	"github.com/warrenmq/warren/broker/internal/engine"
	"github.com/warrenmq/warren/broker/internal/front/pump"
	"github.com/warrenmq/warren/broker/internal/storage"
	"github.com/warrenmq/warren/broker/internal/storage/storetest"
	wire "github.com/warrenmq/warren/broker/internal/wire/amqp091"
)

var rewrite = flag.Bool("rewrite", false, "write what the broker answers into the transcripts instead of comparing")

// TestTranscripts plays each file of testdata against a broker. Its lines:
//
//	# a comment
//	@ NAME [quiet]       the following lines are of this connection, which is opened with the usual handshake (unless quiet)
//	limit BYTES          the broker's memory limit, on top of the file
//	disk                 the broker has a store, on top of the file; nothing is safe until
//	disk commit          everything becomes durable
//	disk full|behind|easy  the store is under pressure, or not
//	disk fail            the disk fails
//	-> CHANNEL METHOD field=value flag …
//	-> CHANNEL header SIZE property=value …
//	-> CHANNEL body "text"
//	-> heartbeat
//	-> raw "octets"      a Go string
//	-> hangup            closes the socket
//	.. DURATION          time passes
//	<- …                 what the broker says, in the same words, until it has nothing more to say; EOF when it closes
//
// Consecutive -> lines are sent in one piece, so that the broker reads them in one batch. In fields a table is {k="text" n=1
// b=true}. The clock is synctest's.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, string(want)) })
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("the broker answered differently (-rewrite to keep it):\n%s", firstDifference(string(want), got))
			}
		})
	}
}

// firstDifference shows the first line that differs, with what stands before it.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			now := "(nothing)"
			if i < len(g) {
				now = g[i]
			}
			return fmt.Sprintf("%s\nline %d, want: %s\n         got: %s", strings.Join(w[max(0, i-5):i], "\n"), i+1, w[i], now)
		}
	}
	return "more: " + strings.Join(g[len(w):], "\n")
}

// counter is a source of randomness that counts.
type counter struct {
	mu sync.Mutex
	n  byte // owner mu
}

func (c *counter) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(p)
	c.n++
	p[len(p)-1] = c.n
	return len(p), nil
}

// house is a broker with its front on a pump.
type house struct {
	t      testing.TB
	broker *engine.Broker
	server *pump.Server
	disk   *storetest.Model // nil: everything is in memory
}

func newHouse(t testing.TB, memoryLimit int64) *house { return openHouse(t, memoryLimit, nil) }

func openHouse(t testing.TB, memoryLimit int64, disk *storetest.Model) *house {
	users := access.New()
	if err := users.PutDefault("/"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"reader", "stranger"} {
		if err := users.Put(access.User{Name: name, PasswordHash: access.NewHash([]byte("pw")), Algorithm: access.SHA256}); err != nil {
			t.Fatal(err)
		}
	}
	if err := users.SetPermissions("/", "reader", access.Permissions{Configure: "^$", Write: "^$", Read: ".*"}); err != nil {
		t.Fatal(err)
	}
	config := engine.Config{Users: users, MemoryLimit: memoryLimit, Random: new(counter)}
	if disk != nil {
		config.Store = func(e storage.Events) (storage.Store, error) {
			disk.Events = e
			return disk, nil
		}
	}
	b, err := engine.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	if disk != nil {
		disk.Manual = true // what the start has written is safe
	}
	return &house{t: t, broker: b, server: pump.New(pump.Config{Front: New(b), Now: b.Now}), disk: disk}
}

// happens makes something happen to the disk.
func (h *house) happens(what string) {
	h.t.Helper()
	switch what {
	case "commit":
		if err := h.disk.Commit(); err != nil {
			h.t.Fatal(err)
		}
	case "full":
		h.disk.Press(storage.Full)
	case "behind":
		h.disk.Press(storage.Behind)
	case "easy":
		h.disk.Press(storage.Easy)
	case "fail":
		h.disk.Fail(errors.New("input/output error"))
	default:
		h.t.Fatalf("nothing like %q can happen to a disk", what)
	}
}

// close ends all connections and the broker.
func (h *house) close() {
	if err := h.server.Close(); err != nil {
		h.t.Error(err)
	}
	h.broker.Close()
}

// connect returns the client's end of a new connection.
func (h *house) connect() net.Conn {
	client, server := net.Pipe()
	go func() { _ = h.server.ServeConn(h.t.Context(), server) }()
	return client
}

// peer is a client in a transcript.
type peer struct {
	name string
	conn net.Conn
	out  chan []byte // to the goroutine that writes, since the broker may not read for a while

	mu  sync.Mutex
	in  []byte // owner mu: what the broker has said and nobody has looked at
	eof bool   // owner mu

	told bool // the transcript has the EOF
}

func (p *peer) read() {
	buf := make([]byte, 64<<10)
	for {
		n, err := p.conn.Read(buf)
		p.mu.Lock()
		p.in = append(p.in, buf[:n]...)
		p.eof = p.eof || err != nil
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *peer) write() {
	for b := range p.out {
		if _, err := p.conn.Write(b); err != nil {
			return
		}
	}
}

// said returns what the broker has said since the last call, a line a frame.
func (p *peer) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var lines []string
	for len(p.in) > 0 {
		if bytes.HasPrefix(p.in, []byte("AMQP")) {
			lines = append(lines, "raw "+strconv.Quote(string(p.in[:8])))
			p.in = p.in[8:]
			continue
		}
		f, n, err := wire.ScanFrame(p.in, 1<<20)
		if err != nil || n == 0 {
			lines = append(lines, fmt.Sprintf("broken %x %v", p.in, err))
			break
		}
		lines = append(lines, show(f))
		p.in = p.in[n:]
	}
	if p.eof && !p.told {
		lines = append(lines, "EOF")
		p.told = true
	}
	return lines
}

// play runs a transcript and returns it with the broker's real answers.
func play(t *testing.T, text string) string {
	var limit int64
	if _, err := fmt.Sscanf(text, "limit %d", &limit); err != nil {
		limit = 0
	}
	var disk *storetest.Model
	if strings.HasPrefix(text, "disk\n") {
		disk = storetest.NewModel()
	}
	h := openHouse(t, limit, disk)
	defer h.close()
	var out strings.Builder
	var peers []*peer
	var now *peer
	find := func(name string, quiet bool) *peer {
		for _, p := range peers {
			if p.name == name {
				return p
			}
		}
		p := &peer{name: name, conn: h.connect(), out: make(chan []byte, 64)}
		peers = append(peers, p)
		go p.read()
		go p.write()
		if !quiet {
			p.shakeHands(t)
		}
		return p
	}
	var batch []byte
	flush := func() {
		if len(batch) > 0 {
			now.out <- batch
		}
		batch = nil
		synctest.Wait()
		for _, p := range peers {
			for _, line := range p.said() {
				if p != now {
					line = "@" + p.name + " " + line
				}
				out.WriteString("<- " + line + "\n")
			}
		}
	}
	for _, line := range strings.SplitAfter(text, "\n") {
		words := fields(t, strings.TrimSpace(line))
		switch {
		case strings.HasPrefix(line, "<-"):
			continue
		case len(words) > 1 && words[0] == "->":
			if now == nil {
				now = find("A", false)
			}
			if words[1] != "hangup" {
				batch = append(batch, frameOf(t, words[1:])...)
				out.WriteString(line)
				continue
			}
			flush()
			out.WriteString(line)
			if err := now.conn.Close(); err != nil {
				t.Fatal(err)
			}
			flush()
			continue
		}
		flush()
		out.WriteString(line)
		switch {
		case len(words) > 1 && words[0] == "@":
			now = find(words[1], len(words) > 2)
			flush()
		case len(words) > 1 && words[0] == "disk":
			h.happens(words[1])
			flush()
		case len(words) > 1 && words[0] == "..":
			d, err := time.ParseDuration(words[1])
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			flush()
		}
	}
	flush()
	for _, p := range peers {
		_ = p.conn.Close()
		close(p.out)
	}
	return out.String()
}

// shakeHands opens the connection and leaves nothing of it to be shown.
func (p *peer) shakeHands(t *testing.T) {
	p.out <- handshake("guest", "guest")
	synctest.Wait()
	if lines := p.said(); len(lines) != 3 || !strings.HasSuffix(lines[2], "connection.open-ok") {
		t.Fatalf("handshake: %q", lines)
	}
}

// handshake is all that an ordinary client says until its connection is open.
func handshake(user, password string) []byte {
	var capabilities wire.Table
	for _, name := range []string{"consumer_cancel_notify", "connection.blocked", "authentication_failure_close"} {
		capabilities = wire.AppendField(capabilities, name, wire.Bool(true))
	}
	b := []byte(wire.ProtocolHeader)
	b = (&wire.ConnectionStartOk{
		ClientProperties: wire.AppendField(nil, "capabilities", wire.TableValue(capabilities)),
		Mechanism:        "PLAIN", Response: []byte("\x00" + user + "\x00" + password), Locale: "en_US",
	}).AppendFrame(b, 0)
	b = (&wire.ConnectionTuneOk{ChannelMax: channelMax, FrameMax: frameMin, Heartbeat: 0}).AppendFrame(b, 0)
	return (&wire.ConnectionOpen{VirtualHost: "/"}).AppendFrame(b, 0)
}

// fields splits a line at blanks outside quotes and braces.
func fields(t *testing.T, line string) []string {
	var words []string
	start, depth, quoted := -1, 0, false
	for i, r := range line {
		switch {
		case quoted:
			quoted = r != '"' || line[i-1] == '\\'
			continue
		case r == '"':
			quoted = true
		case r == '{':
			depth++
		case r == '}':
			depth--
		}
		if r == ' ' && depth == 0 {
			if start >= 0 {
				words = append(words, line[start:i])
			}
			start = -1
		} else if start < 0 {
			start = i
		}
	}
	if quoted || depth != 0 {
		t.Fatalf("unbalanced line: %s", line)
	}
	if start >= 0 {
		words = append(words, line[start:])
	}
	return words
}

// frameOf is the frame, or the octets, that a -> line describes.
func frameOf(t *testing.T, words []string) []byte {
	switch words[0] {
	case "raw":
		return []byte(unquote(t, words[1]))
	case "heartbeat":
		return wire.AppendHeartbeat(nil)
	}
	number, err := strconv.ParseUint(words[0], 10, 16)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	channel := uint16(number)
	switch words[1] {
	case "body":
		return wire.AppendRawFrame(nil, wire.Frame{Type: wire.FrameBody, Channel: channel, Payload: []byte(unquote(t, words[2]))})
	case "header":
		size, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		var p wire.PropertyValues
		for _, w := range words[3:] {
			name, _, _ := strings.Cut(w, "=")
			p.Has |= propertyBit(t, name)
		}
		set(t, reflect.ValueOf(&p).Elem(), words[3:])
		return wire.AppendContentHeader(nil, channel, p.Append(nil), size)
	}
	for _, id := range wire.AllMethods() {
		if id.String() == words[1] {
			m := wire.NewMethod(id)
			set(t, reflect.ValueOf(m).Elem(), words[2:])
			return m.AppendFrame(nil, channel)
		}
	}
	t.Fatalf("no method %s", words[1])
	return nil
}

var propertyNames = []string{"content-type", "content-encoding", "headers", "delivery-mode", "priority", "correlation-id", "reply-to",
	"expiration", "message-id", "timestamp", "type", "user-id", "app-id", "cluster-id"}

func propertyBit(t *testing.T, name string) wire.Property {
	for i, n := range propertyNames {
		if n == name {
			return 1 << 15 >> i
		}
	}
	t.Fatalf("no property %s", name)
	return 0
}

// set sets the fields of a struct from name=value words.
func set(t *testing.T, v reflect.Value, words []string) {
	for _, w := range words {
		name, value, has := strings.Cut(w, "=")
		f := v.FieldByName(goName(name))
		if !f.IsValid() {
			t.Fatalf("%s has no field %s", v.Type(), name)
		}
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(!has || value == "true")
		case reflect.String:
			f.SetString(unquote(t, value))
		case reflect.Slice:
			if f.Type() == reflect.TypeFor[wire.Table]() {
				f.Set(reflect.ValueOf(tableOf(t, value)))
			} else {
				f.SetBytes([]byte(unquote(t, value)))
			}
		default:
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			f.SetUint(n)
		}
	}
}

func unquote(t *testing.T, s string) string {
	if !strings.HasPrefix(s, `"`) {
		return s
	}
	u, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return u
}

func tableOf(t *testing.T, text string) wire.Table {
	var table wire.Table
	for _, w := range fields(t, strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")) {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt(value, 10, 32)
		switch {
		case strings.HasPrefix(value, "{"):
			table = wire.AppendField(table, name, wire.TableValue(tableOf(t, value)))
		case err == nil:
			table = wire.AppendField(table, name, wire.Int(wire.KindInt32, n))
		case value == "true", value == "false":
			table = wire.AppendField(table, name, wire.Bool(value == "true"))
		default:
			table = wire.AppendField(table, name, wire.Longstr(unquote(t, value)))
		}
	}
	return table
}

// goName is the field of a name: reply-code is ReplyCode, class-id ClassID.
func goName(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		if part == "id" {
			b.WriteString("ID")
		} else {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

func wireName(field string) string {
	var b strings.Builder
	field = strings.ReplaceAll(field, "ID", "Id")
	for i, r := range field {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// show writes a frame as the transcripts do.
func show(f wire.Frame) string {
	prefix := strconv.Itoa(int(f.Channel)) + " "
	switch f.Type {
	case wire.FrameHeartbeat:
		return "heartbeat"
	case wire.FrameBody:
		if len(f.Payload) > 64 {
			return fmt.Sprintf("%sbody of %d octets", prefix, len(f.Payload))
		}
		return prefix + "body " + strconv.Quote(string(f.Payload))
	case wire.FrameHeader:
		h, err := wire.DecodeContentHeader(f.Payload)
		if err != nil {
			return prefix + err.Error()
		}
		v := h.Properties.Values()
		line := prefix + "header " + strconv.FormatUint(h.BodySize, 10)
		fields := reflect.ValueOf(v)
		for i, name := range propertyNames {
			if v.Has&(1<<15>>i) != 0 {
				line += showField(name, fields.FieldByName(goName(name)))
			}
		}
		return line
	}
	id, args, err := wire.SplitMethod(f.Payload)
	if err != nil {
		return prefix + err.Error()
	}
	m := wire.NewMethod(id)
	if err := m.Decode(args); err != nil {
		return prefix + err.Error()
	}
	line := prefix + id.String()
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			line += showField(wireName(v.Type().Field(i).Name), f)
		}
	}
	return line
}

func showField(name string, f reflect.Value) string {
	switch f.Kind() {
	case reflect.Bool:
		return " " + name
	case reflect.String:
		return " " + name + "=" + quoteWord(f.String())
	case reflect.Slice:
		if f.Type() != reflect.TypeFor[wire.Table]() {
			return " " + name + "=" + quoteWord(string(f.Bytes()))
		}
		if name == "server-properties" {
			return " " + name + "={…}" // they name versions
		}
		return " " + name + "=" + showTable(wire.Table(f.Bytes()))
	}
	return fmt.Sprintf(" %s=%d", name, f.Uint())
}

func quoteWord(s string) string {
	if q := strconv.Quote(s); s == "" || strings.ContainsAny(s, " {}=") || q != `"`+s+`"` {
		return q
	}
	return s
}

func showTable(t wire.Table) string {
	var words []string
	for name, v := range t.All() {
		text := hex.EncodeToString(wire.AppendValue(nil, v))
		if n, ok := v.Int(); ok {
			text = strconv.FormatInt(n, 10)
		} else if v.Kind() == wire.KindLongstr {
			text = strconv.Quote(string(v.Bytes()))
		} else if v.Kind() == wire.KindBool {
			text = strconv.FormatBool(v.Bool())
		} else if v.Kind() == wire.KindTable {
			text = showTable(v.Table())
		}
		words = append(words, string(name)+"="+text)
	}
	return "{" + strings.Join(words, " ") + "}"
}
