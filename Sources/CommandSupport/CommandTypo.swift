package import ArgumentParser

/// A word where a command was expected, and that is none.
package struct CommandTypo: Equatable {
    package let word: String
    /// The command that it is nearest to, if it is near to any.
    package let suggestion: String?

    /// - Returns: `nil` where the first word is a command, or no word is there.
    package init?(arguments: ArraySlice<String>, of configuration: CommandConfiguration) {
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        guard let word = arguments.first, !word.hasPrefix("-"), !names.contains(word), !names.isEmpty else {
            return nil
        }
        self.word = word
        let nearest = names.min { Self.distance(word, $0) < Self.distance(word, $1) } ?? ""
        self.suggestion = Self.distance(word, nearest) <= 2 ? nearest : nil
    }

    /// What to tell the person who typed it, with the way to the list of commands.
    package func sentence(program: String) -> String {
        let near = suggestion.map { "; did you mean \($0)?" } ?? "."
        return "there is no command \(word)\(near) \(program) --help lists them."
    }

    /// How many letters have to be put in, left out, replaced or exchanged with their neighbour.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left), Array(right))
        var rows = [Array(0...right.count)]
        for (i, a) in left.enumerated() {
            var row = [i + 1]
            for (j, b) in right.enumerated() {
                var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a == b ? 0 : 1))
                if i > 0, j > 0, a == right[j - 1], left[i - 1] == b { best = min(best, rows[i - 1][j - 1] + 1) }
                row.append(best)
            }
            rows.append(row)
        }
        return rows[left.count][right.count]
    }
}
