package import SystemSupport

/// What a program promises to those who call it. The page `Documentation/interfaces.md` is generated from it.
package struct ProgramInterface: Sendable {
    package let name: String
    /// The commands and their arguments, as JSON of ArgumentParser's `ToolInfo`.
    package let help: String
    /// The meaning of an exit status in a few words; `nil` if the program never ends with it.
    package let meaning: @Sendable (ProgramExit) -> String?
    /// The kinds of objects that commands print with `--json`.
    package let objects: [JSONObjectDeclaration]

    package init(
        name: String, help: String, meaning: @escaping @Sendable (ProgramExit) -> String?,
        objects: [JSONObjectDeclaration]
    ) {
        self.name = name
        self.help = help
        self.meaning = meaning
        self.objects = objects
    }

    /// The kinds of objects that a command prints.
    ///
    /// - Parameter command: the command without the name of the program, such as `receipts list`.
    package func objects(of command: String) -> [JSONObjectDeclaration] {
        objects.filter { $0.commands.contains(command) }
    }
}
