#if canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The size of a terminal in characters.
package struct TerminalSize: Equatable, Sendable {
    package let columns: Int
    package let rows: Int

    /// - Parameters:
    ///   - columns: the columns; 80 are assumed if the terminal reports 0, as some serial lines do.
    ///   - rows: the rows; 24 are assumed if the terminal reports 0.
    package init(columns: Int, rows: Int) {
        self.columns = columns > 0 ? columns : 80
        self.rows = rows > 0 ? rows : 24
    }

    /// Assumed where the size is not known.
    package static let usual = TerminalSize(columns: 0, rows: 0)
}

/// What standard output leads to.
package enum OutputKind: Equatable, Sendable {
    /// A file, a pipe or a socket. Programs read it.
    case file
    /// A terminal that only prints, as `TERM=dumb` in an editor.
    case plainTerminal
    /// A terminal whose cursor can be moved.
    case terminal

    /// - Parameters:
    ///   - isTerminal: whether the system says that it is a terminal.
    ///   - term: the variable TERM. Without it, nothing is known of the terminal.
    package init(isTerminal: Bool, term: String?) {
        self =
            switch (isTerminal, term) {
            case (false, _): .file
            case (true, nil), (true, ""), (true, "dumb"): .plainTerminal
            case (true, _): .terminal
            }
    }
}

/// Asks the system about standard output.
package enum TerminalOutput {
    /// What standard output leads to now.
    package static var kind: OutputKind {
        OutputKind(isTerminal: isatty(STDOUT_FILENO) == 1, term: getenv("TERM").map { String(cString: $0) })
    }

    /// The present size. Ask before each use, because users resize windows.
    package static var size: TerminalSize {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return .usual }
        return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }

    /// The width of tables: that of the terminal; `nil` if standard output is none.
    package static var tableWidth: Int? { kind == .file ? nil : size.columns }
}
