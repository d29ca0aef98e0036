package report

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// colours tell peers apart, also for readers who see few colours (Okabe and
// Ito's set).
var colours = []string{"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"}

// The plot's measures, in pixels.
const (
	plotWidth  = 900
	plotLeft   = 190
	plotRight  = 150
	rowHeight  = 18
	groupSpace = 14
	headHeight = 64
	axisHeight = 38
)

// SVG draws a panel for each primary metric: a row for each peer of each
// scenario, a dot at the median and a line from the least to the greatest, on a
// logarithmic axis, since rates differ a hundredfold.
func (r *Report) SVG() []byte {
	var panels []panel
	for _, m := range []Metric{Rate, P50, P99, Seconds, Resident} {
		p := panel{metric: m}
		for _, s := range r.Scenarios {
			if s.Primary == m {
				p.scenarios = append(p.scenarios, s)
			}
		}
		if p.measure() {
			panels = append(panels, p)
		}
	}
	height := headHeight
	for _, p := range panels {
		height += p.height()
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	fmt.Fprintf(&b, `<text x="12" y="22" font-size="16" font-weight="bold">%s</text>`+"\n", html.EscapeString(r.Title))
	fmt.Fprintf(&b, `<text x="12" y="42" fill="#555">%s; %d rounds, median and range</text>`+"\n", html.EscapeString(r.Machine), r.Rounds)
	palette := map[string]string{}
	y := headHeight
	for _, p := range panels {
		p.draw(&b, y, palette)
		y += p.height()
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// panel is the part of the plot that shares one axis.
type panel struct {
	metric    Metric
	scenarios []*Scenario
	low, high float64 // the axis, in powers of ten
}

// measure sets the axis and tells whether there is anything to draw.
func (p *panel) measure() bool {
	least, most := math.Inf(1), 0.0
	for _, s := range p.scenarios {
		for _, peer := range s.Peers {
			if v := peer.Spread(p.metric.of); v.N > 0 {
				least, most = min(least, v.Min), max(most, v.Max)
			}
		}
	}
	if most == 0 {
		return false
	}
	p.low, p.high = math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))
	if p.low == p.high {
		p.high++
	}
	return true
}

func (p *panel) height() int {
	h := axisHeight
	for _, s := range p.scenarios {
		h += len(s.Peers)*rowHeight + groupSpace
	}
	return h
}

// x returns where a value lies.
func (p *panel) x(v float64) float64 {
	return plotLeft + (math.Log10(v)-p.low)/(p.high-p.low)*(plotWidth-plotLeft-plotRight)
}

func (p *panel) draw(b *bytes.Buffer, top int, palette map[string]string) {
	bottom := top + p.height() - axisHeight
	for e := p.low; e <= p.high; e++ {
		for _, minor := range []float64{2, 5} {
			if x := p.x(minor * math.Pow(10, e)); e < p.high {
				fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#f2f2f2"/>`+"\n", x, x, top, bottom)
			}
		}
		x := p.x(math.Pow(10, e))
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/>`+"\n", x, x, top, bottom)
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555">%s</text>`+"\n", x, bottom+14, axisLabel(e))
	}
	fmt.Fprintf(b, `<text x="12" y="%d" fill="#555">%s</text>`+"\n", bottom+14, p.metric.unit())
	y := top
	for _, s := range p.scenarios {
		fmt.Fprintf(b, `<text x="12" y="%d" font-weight="bold">%s</text>`+"\n", y+14, html.EscapeString(s.Name))
		for _, peer := range s.Peers {
			y += rowHeight
			v := peer.Spread(p.metric.of)
			if v.N == 0 {
				fmt.Fprintf(b, `<text x="%d" y="%d" fill="#555">%s failed</text>`+"\n", plotLeft+9, y, html.EscapeString(peer.Name))
				continue
			}
			colour, ok := palette[peer.Name]
			if !ok {
				colour = colours[len(palette)%len(colours)]
				palette[peer.Name] = colour
			}
			middle := y - 4
			fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s" stroke-width="2"/>`+"\n", p.x(v.Min), p.x(v.Max), middle, middle, colour)
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%d" r="4.5" fill="%s"/>`+"\n", p.x(v.Median), middle, colour)
			fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="%s">%s %s</text>`+"\n", p.x(v.Max)+9, y, colour, html.EscapeString(peer.Name), number(v.Median))
		}
		y += groupSpace
	}
}

// axisLabel prints a power of ten.
func axisLabel(e float64) string {
	switch v := math.Pow(10, e); {
	case v >= 1e6:
		return fmt.Sprintf("%g M", v/1e6)
	case v >= 1e3:
		return fmt.Sprintf("%g k", v/1e3)
	default:
		return fmt.Sprintf("%g", v)
	}
}
