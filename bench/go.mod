module github.com/warrenmq/warren/bench

go 1.26.8

require github.com/warrenmq/warren v0.0.0

replace github.com/warrenmq/warren => ../
