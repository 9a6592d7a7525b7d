package import ArgumentParser
import Settings
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
        self.suggestion = NearestName.of(word, among: names)
    }

    /// The message for the person who typed the word. It also says which option lists all commands.
    package func sentence(program: String) -> String {
        let near = suggestion.map { "; did you mean \($0)?" } ?? "."
        return "there is no command \(word.withVisibleControls)\(near) \(program) --help lists them."
    }
}
