import CommandSupport
import Foundation
import RepositoryFiles
import SystemSupport
import Testing

/// Compares the page about interfaces with the code.
@Suite struct InterfacesPageTests {
    /// `make interfaces` sets this variable, and the test then writes the page.
    private static let writes = ProcessInfo.processInfo.environment["SLUICE_WRITE_INTERFACES"] != nil

    @Test func pageIsThatOfTheCode() throws {
        let text = try InterfacesPage.text()
        if Self.writes {
            try text.write(to: RepositoryFiles.url(of: InterfacesPage.path), atomically: true, encoding: .utf8)
        }
        let page = try RepositoryFiles.text(of: InterfacesPage.path)
        let (lines, expected) = (page.components(separatedBy: "\n"), text.components(separatedBy: "\n"))
        let difference = zip(lines, expected).first { $0 != $1 }
        #expect(
            page == text,
            """
            \(InterfacesPage.path) is not that of the code; run: make interfaces. The first difference:
            page: \(difference?.0 ?? "(one is longer)")
            code: \(difference?.1 ?? "(one is longer)")
            """)
    }

    @Test func everyCommandIsListed() throws {
        let text = try InterfacesPage.text()
        for heading in ["### sluice-agent push", "### sluice-agent receipts verify", "### sluice-gateway device list"] {
            #expect(text.contains(heading + "\n"), "\(heading)")
        }
        #expect(text.contains("| `--json` |") && !text.contains("`--help`"))
        #expect(!text.contains(NSHomeDirectory() + "/"))
    }

    /// A command with `--json` declares what it prints, and a declared command exists.
    @Test func everyCommandWithJSONDeclaresItsObjects() throws {
        for program in InterfacesPage.programs {
            let tool = try JSONDecoder().decode(HelpTool.self, from: Data(program.help.utf8))
            let printing = Self.commands(below: tool.command).filter { _, command in
                command.arguments?.contains { $0.names?.contains { $0.name == "json" } == true } == true
            }.map(\.name)
            let declared = Set(program.objects.flatMap(\.commands))
            let known = Set(declared.map { $0.components(separatedBy: " --").first ?? $0 })
            #expect(Set(printing) == known, "\(program.name)")
        }
    }

    /// The objects that one command prints have different events.
    @Test func eventsOfACommandDiffer() {
        for program in InterfacesPage.programs {
            for command in Set(program.objects.flatMap(\.commands)) {
                let events = program.objects(of: command).map(\.event)
                #expect(Set(events).count == events.count, "\(program.name) \(command)")
            }
        }
    }

    @Test func fieldsHaveNamesThatProgramsCanUse() {
        for object in InterfacesPage.programs.flatMap(\.objects) {
            for (name, field) in object.fields {
                #expect(name.wholeMatch(of: /[a-z][a-z0-9_]*/) != nil && name != "event", "\(object.event) \(name)")
                #expect(!field.meaning.isEmpty && !field.meaning.hasSuffix("."), "\(object.event) \(name)")
            }
        }
    }

    @Test func everyExitCodeHasAMeaning() {
        for status in ProgramExit.allCases {
            #expect(InterfacesPage.programs.contains { $0.meaning(status) != nil }, "\(status.rawValue)")
        }
    }

    private static func commands(below command: HelpCommand, named names: [String] = []) -> [(
        name: String, command: HelpCommand
    )] {
        let own = (command.subcommands ?? []).filter { $0.commandName != "help" }
        return own.flatMap { child in
            let path = names + [child.commandName]
            return [(path.joined(separator: " "), child)] + commands(below: child, named: path)
        }
    }
}
