// Package budget divides the memory that the store of a node may take. Whoever keeps memory
// says how much, by kind; when all together is too much, those who can give some back are asked in an
// order: what was read comes first, since it can be read again; then what waits for a file, which
// can be written early; then tables, which can be looked up in files. What is left then
// belongs to those who publish, and the greediest of them are refused until there is room.
//
// It does no i/o and has no clock and no goroutine: whoever owns a [Budget] calls [Budget.Relieve]
// when [Budget.Over] says so.
package budget
