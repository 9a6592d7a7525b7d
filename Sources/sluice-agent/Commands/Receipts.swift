import AgentKit
import ArgumentParser
import CommandSupport
import Logging
import Settings
import SystemSupport

struct Receipts: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the receipts that gateways have signed: which object was stored when, with what content.",
        discussion: """
            A receipt says what was stored then; it does not say that the object is there now. sluice-gateway receipt \
            verify, or openssl, verifies exported ones without this device.
            """, subcommands: [List.self, Export.self, Verify.self, Prune.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists receipts, one per line: time, size, key, content.",
            discussion: "Exit code 0: every receipt is listed; 1: one cannot be read.")
        @Flag(help: "One JSON object a line.") var json = false
        @OptionGroup var selection: ReceiptSelection

        func run() throws {
            try selection.home.warnAboutSettings()
            let width = TerminalOutput.tableWidth
            let result = try selection.receipts.list(key: selection.key, asJSON: json, width: width) {
                Output.results.line($0, isJSON: json)
            }
            if json {
                Output.results.object(
                    JSONObject<ReceiptSummaryFields>([
                        .receipts: .count(result.count), .unreadable: .count(result.unreadable),
                    ]))
            }
            guard result.unreadable == 0 else { throw ExitCode(ProgramExit.failure.rawValue) }
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes each receipt into a file of a folder, for others to verify.")
        @Option(help: "The folder; it is made if it is missing.") var to: String
        @OptionGroup var format: JSONOption
        @OptionGroup var selection: ReceiptSelection

        func run() throws {
            try selection.home.warnAboutSettings()
            let count = try selection.receipts.export(key: selection.key, to: to) { path, key in
                guard format.json else { return }
                Output.results.object(
                    JSONObject<ExportedFields>([.path: .string(path), .key: key.map { .string($0) }]))
            }
            guard !format.json else {
                return Output.results.object(JSONObject<ReceiptSummaryFields>([.receipts: .count(count)]))
            }
            Output.results.line("Wrote \(counted(count, "receipt")) into \(to).")
        }
    }

    struct Verify: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Verifies receipts with the gateway's key that this home has pinned, or its authority.",
            discussion: "Exit code 0: every receipt is valid; 1: one is not.")
        @Flag(help: "One JSON object a line.") var json = false
        @OptionGroup var selection: ReceiptSelection

        func run() throws {
            let result = try selection.receipts.verify(key: selection.key, asJSON: json) {
                Output.results.line($0, isJSON: json)
            }
            if json {
                Output.results.object(
                    JSONObject<ReceiptSummaryFields>([
                        .receipts: .count(result.count), .refused: .count(result.refused),
                    ]))
            } else {
                Output.results.line("\(counted(result.count, "receipt")), \(result.refused) refused.")
            }
            guard result.refused == 0 else { throw ExitCode(ProgramExit.failure.rawValue) }
        }
    }
}

extension Receipts {
    struct Prune: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes old receipts, and the agent's own proofs, from this home.",
            discussion: """
                Without its proof, a file is not proven until check --remote or another push, and a file that grew no \
                longer replaces its own object.
                """)
        @Option(help: "Only those that are older, for example 90d; at least 1d.") var olderThan: TimeSpan
        @OptionGroup var home: HomeOption
        @OptionGroup var format: JSONOption

        func validate() throws {
            guard olderThan.duration >= .seconds(86_400) else {
                throw ValidationError("--older-than is at least 1d.")
            }
        }

        func run() throws {
            try home.warnAboutSettings()
            let logger = ProgramLog.make(label: "sluice-agent", level: .warning)
            let receipts = AgentReceipts(home: try home.agent, logger: logger)
            let pruned = try receipts.prune(olderThan: olderThan.duration)
            guard !format.json else {
                return Output.results.object(
                    JSONObject<PrunedFields>([.receipts: .count(pruned.receipts), .proofs: .count(pruned.proofs)]))
            }
            Output.results.line(
                "Removed \(counted(pruned.receipts, "receipt")) and \(counted(pruned.proofs, "proof")).")
        }
    }
}

/// The options by which a command selects receipts in the agent's home.
struct ReceiptSelection: ParsableArguments {
    @Argument(help: "The object's whole key, prefix included; none for all receipts.") var key: String?
    @OptionGroup var home: HomeOption

    var receipts: AgentReceipts {
        get throws {
            AgentReceipts(
                home: try home.agent, logger: ProgramLog.make(label: "sluice-agent", level: .warning))
        }
    }
}
