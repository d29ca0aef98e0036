package protocolgen

import (
	"fmt"
	"strings"
)

func emitCodes(p *protocol) string {
	var b strings.Builder
	b.WriteString("// The reply codes (AMQP 0-9-1 §1.2, RabbitMQ's numbering).\nconst (\n")
	for _, c := range p.codes {
		fmt.Fprintf(&b, "%s Code = %d\n", camel(c.name), c.number)
	}
	b.WriteString(")\n\n// name is the specification's name of c, empty when the table has no such code.\nfunc (c Code) name() string {\nswitch c {\n")
	for _, c := range p.codes {
		fmt.Fprintf(&b, "case %s: return %q\n", camel(c.name), c.name)
	}
	b.WriteString("}\nreturn \"\"\n}\n\n// Level says what a peer closes that meets c. A code that the table does not have closes the connection.\nfunc (c Code) Level() Level {\nswitch c {\ncase ")
	var soft []string
	for _, c := range p.codes {
		if c.level == "channel" {
			soft = append(soft, camel(c.name))
		}
	}
	b.WriteString(strings.Join(soft, ", ") + ": return LevelChannel\n}\nreturn LevelConnection\n}\n")
	return b.String()
}

func emitMethods(p *protocol) string {
	var all []*method
	for _, c := range p.classes {
		all = append(all, c.methods...)
	}
	var b strings.Builder
	b.WriteString("// The classes.\nconst (\n")
	for _, c := range p.classes {
		fmt.Fprintf(&b, "Class%s uint16 = %d\n", camel(c.name), c.number)
	}
	b.WriteString(")\n\n// The methods: class number << 16 | method number.\nconst (\n")
	for _, m := range all {
		fmt.Fprintf(&b, "Method%s MethodID = %d<<16 | %d\n", m.goName(), m.class.number, m.number)
	}
	b.WriteString(")\n\n// AllMethods lists every method of the table, in its order.\nfunc AllMethods() []MethodID {\nreturn []MethodID{\n")
	for _, m := range all {
		fmt.Fprintf(&b, "Method%s,\n", m.goName())
	}
	b.WriteString("}\n}\n\n// String is the name of id as the specification writes it, such as basic.publish; empty when the table has no such method.\nfunc (id MethodID) String() string {\nswitch id {\n")
	for _, m := range all {
		fmt.Fprintf(&b, "case Method%s: return %q\n", m.goName(), m.wireName())
	}
	b.WriteString("}\nreturn \"\"\n}\n\n// NewMethod returns an empty method to decode id into, nil when the table has no such method.\nfunc NewMethod(id MethodID) Method {\nswitch id {\n")
	for _, m := range all {
		fmt.Fprintf(&b, "case Method%s: return new(%s)\n", m.goName(), m.goName())
	}
	b.WriteString("}\nreturn nil\n}\n\n")
	emitSet(&b, "HasContent reports whether a content header and a body follow id.", "HasContent", all, func(m *method) bool { return m.content })
	emitSet(&b, "FromClient reports whether clients send id.", "FromClient", all, func(m *method) bool { return m.sender != "server" })
	emitSet(&b, "FromServer reports whether servers send id.", "FromServer", all, func(m *method) bool { return m.sender != "client" })
	emitReplies(&b, all)
	return b.String()
}

// emitSet writes a predicate over method ids.
func emitSet(b *strings.Builder, doc, name string, all []*method, in func(*method) bool) {
	var ids []string
	for _, m := range all {
		if in(m) {
			ids = append(ids, "Method"+m.goName())
		}
	}
	fmt.Fprintf(b, "// %s\nfunc (id MethodID) %s() bool {\nswitch id {\ncase %s:\nreturn true\n}\nreturn false\n}\n\n", doc, name, strings.Join(ids, ",\n"))
}

func emitReplies(b *strings.Builder, all []*method) {
	b.WriteString("// Replies lists the methods that answer id when id is synchronous (and its no-wait is off), none otherwise.\nfunc (id MethodID) Replies() []MethodID {\nswitch id {\n")
	for _, m := range all {
		if len(m.replies) == 0 {
			continue
		}
		ids := make([]string, len(m.replies))
		for i, r := range m.replies {
			ids[i] = "Method" + camel(m.class.name) + camel(r)
		}
		fmt.Fprintf(b, "case Method%s: return []MethodID{%s}\n", m.goName(), strings.Join(ids, ", "))
	}
	b.WriteString("}\nreturn nil\n}\n")
}

var senders = map[string]string{
	"client": "Clients send it.", "server": "Servers send it.", "both": "Both peers send it.",
}

func emitClass(c *class) string {
	var b strings.Builder
	for _, m := range c.methods {
		if usesBinary(m) {
			b.WriteString("import \"encoding/binary\"\n\n")
			break
		}
	}
	for _, m := range c.methods {
		emitStruct(&b, m)
		emitDecode(&b, m)
		emitAppend(&b, m)
	}
	return b.String()
}

// usesBinary reports whether the encoder of m calls encoding/binary: not for fields that it writes as zeros.
func usesBinary(m *method) bool {
	for _, f := range m.fields {
		switch f.wire {
		case "short", "long", "longlong", "timestamp":
			if !f.reserved {
				return true
			}
		}
	}
	return false
}

func emitStruct(b *strings.Builder, m *method) {
	fmt.Fprintf(b, "// %s is %s (%d.%d). %s", m.goName(), m.wireName(), m.class.number, m.number, senders[m.sender])
	if m.content {
		b.WriteString(" A content header and a body follow.")
	}
	if m.views {
		b.WriteString("\n//\n// Decoding allocates nothing: its byte slices are views on the bytes given to Decode.")
	}
	fmt.Fprintf(b, "\ntype %s struct {\n", m.goName())
	for _, f := range m.fields {
		if !f.reserved {
			fmt.Fprintf(b, "%s %s\n", camel(f.name), goType(f, m.views))
		}
	}
	b.WriteString("}\n\n")
	fmt.Fprintf(b, "// ID is Method%s.\nfunc (*%s) ID() MethodID { return Method%s }\n\n", m.goName(), m.goName(), m.goName())
}

func goType(f field, views bool) string {
	switch f.wire {
	case "bit":
		return "bool"
	case "octet":
		return "uint8"
	case "short":
		return "uint16"
	case "long":
		return "uint32"
	case "longlong", "timestamp":
		return "uint64"
	case "shortstr":
		if views {
			return "[]byte"
		}
		return "string"
	case "longstr":
		return "[]byte"
	default:
		return "Table"
	}
}

// readCall is the call of the reader's method for f; bits are read by the octet and have none.
func readCall(f field, views bool) string {
	switch f.wire {
	case "longlong", "timestamp":
		return "r.longlong()"
	case "shortstr":
		if views || f.reserved {
			return "r.shortstrView()"
		}
		return "r.shortstr()"
	default:
		return "r." + f.wire + "()"
	}
}

func emitDecode(b *strings.Builder, m *method) {
	fmt.Fprintf(b, "// Decode sets m from the arguments of %s.\nfunc (m *%s) Decode(args []byte) error {\n", m.wireName(), m.goName())
	b.WriteString("r := reader{b: args}\n")
	declared := false
	for i, bit := 0, 0; i < len(m.fields); i++ {
		f := m.fields[i]
		if f.wire == "bit" {
			if bit == 0 {
				switch {
				case allReservedBits(m.fields[i:]):
					b.WriteString("r.octet() // " + f.name + "\n")
				case declared:
					b.WriteString("bits = r.octet()\n")
				default:
					b.WriteString("bits := r.octet()\n")
					declared = true
				}
			}
			if !f.reserved {
				fmt.Fprintf(b, "m.%s = bits&%#x != 0\n", camel(f.name), 1<<bit)
			}
			bit = (bit + 1) % 8
			continue
		}
		bit = 0
		if f.reserved {
			fmt.Fprintf(b, "%s // %s\n", readCall(f, m.views), f.name)
			continue
		}
		fmt.Fprintf(b, "m.%s = %s\n", camel(f.name), readCall(f, m.views))
	}
	fmt.Fprintf(b, "return r.end(Method%s, args)\n}\n\n", m.goName())
}

// allReservedBits reports whether the run of bits at the head of fields holds nothing but reserved ones.
func allReservedBits(fields []field) bool {
	for _, f := range fields {
		if f.wire != "bit" {
			break
		}
		if !f.reserved {
			return false
		}
	}
	return true
}

func emitAppend(b *strings.Builder, m *method) {
	fmt.Fprintf(b, "// AppendFrame appends m to dst as a whole method frame.\nfunc (m *%s) AppendFrame(dst []byte, channel uint16) []byte {\n", m.goName())
	fmt.Fprintf(b, "dst, at := beginMethod(dst, channel, Method%s)\n", m.goName())
	for i := 0; i < len(m.fields); i++ {
		if m.fields[i].wire != "bit" {
			emitAppendField(b, m.fields[i])
			continue
		}
		n := i
		for n < len(m.fields) && m.fields[n].wire == "bit" && n-i < 8 {
			n++
		}
		var terms []string
		for bit, f := range m.fields[i:n] {
			if !f.reserved {
				terms = append(terms, fmt.Sprintf("bit(m.%s, %d)", camel(f.name), bit))
			}
		}
		if len(terms) == 0 {
			terms = []string{"0"}
		}
		fmt.Fprintf(b, "dst = append(dst, %s)\n", strings.Join(terms, "|"))
		i = n - 1
	}
	b.WriteString("return endFrame(dst, at)\n}\n\n")
}

func emitAppendField(b *strings.Builder, f field) {
	value := "m." + camel(f.name)
	if f.reserved {
		zero := map[string]string{
			"octet": "0", "short": "0, 0", "long": "0, 0, 0, 0", "longlong": "0, 0, 0, 0, 0, 0, 0, 0",
			"timestamp": "0, 0, 0, 0, 0, 0, 0, 0", "shortstr": "0", "longstr": "0, 0, 0, 0", "table": "0, 0, 0, 0",
		}
		fmt.Fprintf(b, "dst = append(dst, %s) // %s\n", zero[f.wire], f.name)
		return
	}
	switch f.wire {
	case "octet":
		fmt.Fprintf(b, "dst = append(dst, %s)\n", value)
	case "short":
		fmt.Fprintf(b, "dst = binary.BigEndian.AppendUint16(dst, %s)\n", value)
	case "long":
		fmt.Fprintf(b, "dst = binary.BigEndian.AppendUint32(dst, %s)\n", value)
	case "longlong", "timestamp":
		fmt.Fprintf(b, "dst = binary.BigEndian.AppendUint64(dst, %s)\n", value)
	case "shortstr":
		fmt.Fprintf(b, "dst = AppendShortstr(dst, %s)\n", value)
	case "longstr":
		fmt.Fprintf(b, "dst = AppendLongstr(dst, %s)\n", value)
	case "table":
		fmt.Fprintf(b, "dst = AppendTable(dst, %s)\n", value)
	}
}

// emitProperties writes the accessors and the encoder of the one class that has properties.
func emitProperties(p *protocol) string {
	var props []field
	for _, c := range p.classes {
		if len(c.properties) > 0 {
			props = c.properties
		}
	}
	var b strings.Builder
	b.WriteString("import \"encoding/binary\"\n\n")
	b.WriteString("// The properties, as bits of the flags word.\nconst (\n")
	for i, f := range props {
		fmt.Fprintf(&b, "Property%s Property = 1 << %d\n", camel(f.name), 15-i)
	}
	letters := map[string]string{"shortstr": "s", "table": "F", "octet": "o", "timestamp": "T"}
	var kinds string
	for _, f := range props {
		kinds += letters[f.wire]
	}
	fmt.Fprintf(&b, ")\n\n// propertyKinds holds the wire type of each property, in flag order: a shortstr, a table (F), an octet, a timestamp (T).\nconst propertyKinds = %q\n\n", kinds)
	b.WriteString("// allProperties has the bit of every property.\nconst allProperties Property = 0")
	for _, f := range props {
		b.WriteString(" | Property" + camel(f.name))
	}
	b.WriteString("\n\n")
	for _, f := range props {
		name := camel(f.name)
		typ, read := "[]byte", "shortstrAt"
		switch f.wire {
		case "octet":
			typ, read = "uint8", "octetAt"
		case "timestamp":
			typ, read = "uint64", "timestampAt"
		case "table":
			typ, read = "Table", "tableAt"
		}
		fmt.Fprintf(&b, "// %s is the property %s, false when absent.\nfunc (p Properties) %s() (%s, bool) { return %s(p.find(Property%s)) }\n\n", name, f.name, name, typ, read, name)
	}
	b.WriteString("// PropertyValues are properties to be encoded.\ntype PropertyValues struct {\nHas Property // which of the fields below are written; zero: none\n")
	for _, f := range props {
		fmt.Fprintf(&b, "%s %s\n", camel(f.name), goType(f, false))
	}
	b.WriteString("}\n\n// Append appends v to dst, flags first: what follows the body size in a content header.\nfunc (v *PropertyValues) Append(dst []byte) []byte {\ndst = binary.BigEndian.AppendUint16(dst, uint16(v.Has&allProperties))\n")
	for _, f := range props {
		fmt.Fprintf(&b, "if v.Has&Property%s != 0 {\n", camel(f.name))
		value := "v." + camel(f.name)
		switch f.wire {
		case "octet":
			fmt.Fprintf(&b, "dst = append(dst, %s)\n", value)
		case "timestamp":
			fmt.Fprintf(&b, "dst = binary.BigEndian.AppendUint64(dst, %s)\n", value)
		case "shortstr":
			fmt.Fprintf(&b, "dst = AppendShortstr(dst, %s)\n", value)
		case "table":
			fmt.Fprintf(&b, "dst = AppendTable(dst, %s)\n", value)
		}
		b.WriteString("}\n")
	}
	b.WriteString("return dst\n}\n\n// Values reads all of p, copying what it holds.\nfunc (p Properties) Values() PropertyValues {\nvar v PropertyValues\n")
	for _, f := range props {
		name := camel(f.name)
		conv := "x"
		switch f.wire {
		case "shortstr":
			conv = "string(x)"
		case "table":
			conv = "append(Table(nil), x...)"
		}
		fmt.Fprintf(&b, "if x, ok := p.%s(); ok {\nv.Has |= Property%s\nv.%s = %s\n}\n", name, name, name, conv)
	}
	b.WriteString("return v\n}\n")
	return b.String()
}
