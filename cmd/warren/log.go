package main

import (
	"io"
	"log/slog"
)

// LogFlags choose what a serving command logs to standard error.
type LogFlags struct {
	LogLevel  slog.Level `default:"info" placeholder:"LEVEL" help:"The least that is logged: debug, info, warn or error. Default: ${default}."`
	LogFormat string     `default:"text" enum:"text,json" placeholder:"FORMAT" help:"text or json. With json, the listeners are log records too. Default: ${default}."`
}

func (f LogFlags) logger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: f.LogLevel}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
