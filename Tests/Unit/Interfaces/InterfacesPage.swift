import AgentKit
import CommandSupport
import GatewayKit
import InterfaceSupport
import Settings
import sluice_agent
import sluice_gateway

/// A section of the page about interfaces.
struct PageSection {
    /// The heading, which also stands in the table of contents.
    let title: String
    /// Markdown below the heading.
    let text: String
}

/// The page `Documentation/interfaces.md`: everything that scripts and programs may rely on, generated from the code.
///
/// A further kind of interface (endpoints, metrics, events) becomes a section: write a function that returns it, and
/// add the function to `sections`.
enum InterfacesPage {
    static let path = "Documentation/interfaces.md"

    static let programs = [AgentInterface.program, GatewayInterface.program]

    static func sections() throws -> [PageSection] {
        try programs.map { try CommandSection.section(of: $0) }
            + [ExitStatusSection.section(of: programs)]
            + programs.map { ObjectSection.section(of: $0) }
            + SettingsSection.sections()
    }

    /// The whole page.
    static func text() throws -> String {
        let sections = try sections()
        let contents = sections.map { "- [\($0.title)](#\(anchor(of: $0.title)))\n" }.joined()
        return introduction + "\n" + contents
            + sections.map { "\n## \($0.title)\n\n\($0.text)" }.joined()
    }

    private static let introduction = """
        # Interfaces

        This page lists everything that scripts and programs may rely on. It is generated from the code, and
        `make interfaces` writes it again. For explanations see the [agent](agent.md), the [gateway](gateway.md) and
        [receipts](receipts.md).

        """

    /// The anchor of a heading, as Git hosts make it: letters, digits and hyphens, with a hyphen for each space.
    static func anchor(of title: String) -> String {
        String(
            title.lowercased().compactMap { character in
                character == " " ? "-" : character.isLetter || character.isNumber || character == "-" ? character : nil
            })
    }
}

/// Settings of both programs: keys of the files, variables of the environment, and flags.
enum SettingsSection {
    static func sections() -> [PageSection] {
        [
            section(of: AgentSettings.table, home: AgentSettings.usualFolder),
            section(of: GatewaySettings.table, home: GatewaySettings.usualFolder),
        ]
    }

    private static func section<Root>(of table: SettingsTable<Root>, home: String) -> PageSection {
        let lines = SettingsPage(table, home: "~/" + home).lines
        return PageSection(
            title: "Settings of \(table.program)",
            text: "[Settings](settings.md) explains files, variables and units.\n\n"
                + lines.map { $0 + "\n" }.joined())
    }
}

/// A table in Markdown.
struct PageTable {
    private let header: [String]
    private var rows: [[String]] = []

    init(_ header: String...) {
        self.header = header
    }

    mutating func add(_ cells: String...) { rows.append(cells) }

    var isEmpty: Bool { rows.isEmpty }

    var text: String {
        let lines = [header, header.map { _ in "---" }] + rows
        return lines.map { "| " + $0.map(Self.escaped).joined(separator: " | ") + " |\n" }.joined()
    }

    /// The text as a cell: on one line, and without a bar that would end the cell.
    private static func escaped(_ cell: String) -> String {
        cell.split(whereSeparator: \.isNewline).joined(separator: " ").replacing("|", with: "\\|")
    }
}
