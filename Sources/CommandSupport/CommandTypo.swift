package import ArgumentParser
import TransferCommon

/// A first word on the command line that is not the name of a command.
package struct CommandTypo: Equatable {
    package let word: String
    /// The closest command name, or `nil` if none is similar.
    package let suggestion: String?

    /// - Returns: `nil` if there is no typing error: the first word is a command or an option, there is no word, or the
    ///   program has no commands.
    package init?(arguments: ArraySlice<String>, of configuration: CommandConfiguration) {
        let names = configuration.subcommands.map { $0._commandName } + ["help"]
        guard let word = arguments.first, !word.hasPrefix("-"), !names.contains(word), !names.isEmpty else {
            return nil
        }
        self.word = word
        let nearest = names.min { Self.distance(word, $0) < Self.distance(word, $1) } ?? ""
        self.suggestion = Self.distance(word, nearest) <= 2 ? nearest : nil
    }

    /// The message for the person who typed the word. It also says which option lists all commands.
    package func sentence(program: String) -> String {
        let near = suggestion.map { "; did you mean \($0)?" } ?? "."
        return "there is no command \(word.withVisibleControls)\(near) \(program) --help lists them."
    }

    /// The edit distance of two words: how many letters have to be inserted, deleted, replaced or swapped with a
    /// neighbour to get from one word to the other.
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
