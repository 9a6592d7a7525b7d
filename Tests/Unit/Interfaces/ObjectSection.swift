import CommandSupport
import SystemSupport

/// The section with the exit codes of the programs.
enum ExitStatusSection {
    static func section(of programs: [ProgramInterface]) -> PageSection {
        var text = """
            Every command of a program uses these codes. A command that means something special by a code says so above.

            | code |\(programs.map { " \($0.name) |" }.joined())
            |---|\(programs.map { _ in "---|" }.joined())

            """
        for status in ProgramExit.allCases {
            let cells = programs.map { " \($0.meaning(status) ?? "–") |" }
            text += "| \(status.rawValue) |\(cells.joined())\n"
        }
        return PageSection(title: "Exit codes", text: text)
    }
}

/// The section with the JSON objects that a program prints.
enum ObjectSection {
    static func section(of program: ProgramInterface) -> PageSection {
        let text = rules + program.objects.map { "\n" + self.text(of: $0, program) }.joined()
        return PageSection(title: "JSON of \(program.name)", text: text)
    }

    private static let rules = """
        With `--json` a command prints one object per line on standard output. The field `event` names the kind of the
        object, and it comes first. Later versions may add kinds, fields and words; ignore those that you do not know.
        Control characters are written as `\\uXXXX`. Integers are never negative, and sizes are in bytes. Times are
        RFC 3339 in UTC. Seconds may have up to six decimals. Failures are also explained on standard error, and the
        exit code is the same as without `--json`.

        """

    private static func text(of object: JSONObjectDeclaration, _ program: ProgramInterface) -> String {
        let commands = object.commands.map { "`\(program.name) \($0)`" }.joined(separator: ", ")
        var table = PageTable("field", "kind", "present", "meaning")
        for (name, field) in object.fields {
            table.add("`\(name)`", field.kind.words, field.condition.map { "if \($0)" } ?? "always", meaning(of: field))
        }
        return "### `\(object.event)` of \(commands)\n\n\(object.meaning)\n\n\(table.text)"
    }

    private static func meaning(of field: JSONField) -> String {
        guard case .word(let words) = field.kind else { return field.meaning }
        return "\(field.meaning). Words: " + words.map { "`\($0)`" }.joined(separator: ", ")
    }
}
