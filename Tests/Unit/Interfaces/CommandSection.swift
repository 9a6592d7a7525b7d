import CommandSupport
import Foundation

/// The section with the commands of a program and their arguments.
enum CommandSection {
    static func section(of program: ProgramInterface) throws -> PageSection {
        let tool = try JSONDecoder().decode(HelpTool.self, from: Data(program.help.utf8))
        let text = texts(of: tool.command, called: []).joined(separator: "\n")
        return PageSection(title: "Commands of \(program.name)", text: text)
    }

    /// Commands that only have subcommands get no heading.
    private static func texts(of command: HelpCommand, called parents: [String]) -> [String] {
        let names = parents + [command.commandName]
        let below = (command.subcommands ?? []).filter { $0.commandName != "help" }
        let own = below.isEmpty ? [text(of: command, called: names.joined(separator: " "))] : []
        return own + below.flatMap { texts(of: $0, called: names) }
    }

    private static func text(of command: HelpCommand, called name: String) -> String {
        var table = PageTable("argument", "default", "meaning")
        for argument in command.arguments ?? [] where argument.shouldDisplay && !argument.isOfParser {
            table.add(argument.synopsis, argument.shownDefault, argument.meaning)
        }
        let paragraphs = [command.abstract, command.discussion].compactMap(\.self)
            .flatMap { $0.components(separatedBy: "\n\n") }
            .map { $0.split(whereSeparator: \.isNewline).joined(separator: " ") }
        return "### \(name)\n\n" + paragraphs.map { $0 + "\n" }.joined(separator: "\n")
            + (table.isEmpty ? "" : "\n" + table.text)
    }
}

// What this page needs of the help that ArgumentParser writes as JSON.

struct HelpTool: Decodable {
    let command: HelpCommand
}

struct HelpCommand: Decodable {
    let commandName: String
    let abstract: String?
    let discussion: String?
    let subcommands: [HelpCommand]?
    let arguments: [HelpArgument]?
}

struct HelpArgument: Decodable {
    struct Name: Decodable {
        let kind: String
        let name: String

        var text: String { kind == "long" ? "--\(name)" : "-\(name)" }
    }

    let kind: String
    let shouldDisplay: Bool
    let isOptional: Bool
    let isRepeating: Bool
    let names: [Name]?
    let valueName: String?
    let defaultValue: String?
    let allValues: [String]?
    let abstract: String?

    /// Whether every command has the argument, because the parser adds it.
    var isOfParser: Bool { names?.contains { ["help", "version"].contains($0.name) } == true }

    var synopsis: String {
        let value = "<\(valueName ?? "value")>"
        let text =
            switch kind {
            case "flag": (names ?? []).map(\.text).joined(separator: ", ")
            case "option": (names ?? []).map(\.text).joined(separator: ", ") + " " + value
            default: value
            }
        return "`\(text)\(isRepeating ? " …" : "")`" + (isOptional ? "" : ", required")
    }

    var shownDefault: String {
        guard let defaultValue, kind != "flag" else { return "" }
        return "`\(defaultValue)`"
    }

    var meaning: String {
        let values = (allValues ?? []).map { "`\($0)`" }.joined(separator: ", ")
        return [abstract ?? "", values.isEmpty ? "" : "One of \(values)."].filter { !$0.isEmpty }.joined(separator: " ")
    }
}
