package report

import (
	"bytes"
	"fmt"
	"html"
	"math"
)

// Curves are figures against the size of something, drawn in panels one below the other that share the horizontal axis.
type Curves struct {
	Title, Subtitle string
	Across          string // what the horizontal axis is
	Panels          []CurvePanel
}

// CurvePanel is one of the panels.
type CurvePanel struct {
	Up    string // what the vertical axis is
	Lines []Line
}

// Line is one line in a panel, from left to right.
type Line struct {
	Name   string
	Points []Point
}

// Point is what was found at one size: the median over the rounds.
type Point struct{ X, Y float64 }

const (
	curveHeight = 220
	curveSpace  = 56
	curveRight  = 200
)

// axis is logarithmic and goes from one power of ten to another.
type axis struct{ low, high float64 }

func newAxis(values []float64) axis {
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		if v > 0 {
			least, most = min(least, v), max(most, v)
		}
	}
	if most == 0 {
		return axis{0, 1}
	}
	a := axis{math.Floor(math.Log10(least)), math.Ceil(math.Log10(most))}
	if a.low == a.high {
		a.high++
	}
	return a
}

// part returns which part of the axis lies before a value.
func (a axis) part(v float64) float64 { return (math.Log10(v) - a.low) / (a.high - a.low) }

// SVG draws the panels. Both axes are logarithmic; values that are not above zero are left out.
func (c *Curves) SVG() []byte {
	var xs []float64
	for _, p := range c.Panels {
		for _, l := range p.Lines {
			for _, point := range l.Points {
				xs = append(xs, point.X)
			}
		}
	}
	across := newAxis(xs)
	height := headHeight + len(c.Panels)*(curveHeight+curveSpace)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	fmt.Fprintf(&b, `<text x="12" y="22" font-size="16" font-weight="bold">%s</text>`+"\n", html.EscapeString(c.Title))
	fmt.Fprintf(&b, `<text x="12" y="42" fill="#555">%s</text>`+"\n", html.EscapeString(c.Subtitle))
	palette := map[string]string{}
	for i, p := range c.Panels {
		p.draw(&b, headHeight+16+i*(curveHeight+curveSpace), across, c.Across, palette)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (p *CurvePanel) draw(b *bytes.Buffer, top int, across axis, acrossName string, palette map[string]string) {
	const left, right = 70, plotWidth - curveRight
	var ys []float64
	for _, l := range p.Lines {
		for _, point := range l.Points {
			ys = append(ys, point.Y)
		}
	}
	up := newAxis(ys)
	x := func(v float64) float64 { return left + across.part(v)*(right-left) }
	y := func(v float64) float64 { return float64(top) + (1-up.part(v))*curveHeight }
	bottom := float64(top + curveHeight)
	for e := across.low; e <= across.high; e++ {
		at := x(math.Pow(10, e))
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%.1f" stroke="#ddd"/>`+"\n", at, at, top, bottom)
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="#555">%s</text>`+"\n", at, bottom+14, axisLabel(e))
	}
	for e := up.low; e <= up.high; e++ {
		at := y(math.Pow(10, e))
		fmt.Fprintf(b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", left, right, at, at)
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="#555">%s</text>`+"\n", left-6, at+4, axisLabel(e))
	}
	fmt.Fprintf(b, `<text x="12" y="%d" fill="#555">%s</text>`+"\n", top-6, html.EscapeString(p.Up))
	fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="#555">%s</text>`+"\n", right, bottom+30, html.EscapeString(acrossName))
	for i, l := range p.Lines {
		colour, ok := palette[l.Name]
		if !ok {
			colour = colours[len(palette)%len(colours)]
			palette[l.Name] = colour
		}
		var path bytes.Buffer
		for _, point := range l.Points {
			if point.X <= 0 || point.Y <= 0 {
				continue
			}
			fmt.Fprintf(&path, "%.1f,%.1f ", x(point.X), y(point.Y))
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`+"\n", x(point.X), y(point.Y), colour)
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", bytes.TrimSpace(path.Bytes()), colour)
		fmt.Fprintf(b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", right+12, top+14+i*16, colour, html.EscapeString(l.Name))
	}
}
