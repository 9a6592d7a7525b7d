import AgentKit
import AgentService
import ArgumentParser
import CommandSupport
import Foundation
import Logging
import Settings
import SystemSupport
import TransferCore

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists unfinished uploads: number, key, progress, age, file, and what each waits for.",
        discussion: "If a service runs in the home, shows what the service does instead: its folders and their files.")
    @OptionGroup var home: HomeOption
    @OptionGroup var format: JSONOption

    func run() async throws {
        try self.home.warnAboutSettings()
        let home = try home.agent
        if let service = try await service(of: home) {
            let lines = format.json ? service.jsonLines : service.lines(width: TerminalOutput.tableWidth)
            for line in lines { Output.results.line(line, isJSON: format.json) }
            return
        }
        let logger = ProgramLog.make(label: "sluice-agent", level: .warning)
        let rows = try AgentJournal.unfinished(in: home, logger: logger)
        guard !format.json else {
            let site = try AgentJournal.site(of: home, logger: logger)
            for row in rows { Output.results.object(JSONObject(row, at: site)) }
            return Output.results.object(JSONObject(rows, isBusy: home.isBusy))
        }
        for line in UnfinishedTable(rows).lines(width: TerminalOutput.tableWidth) { Output.results.line(line) }
        if home.isBusy { Output.results.line("A sluice-agent is at work in this home.") }
        if self.home.namesFolders {
            Output.results.line(
                "The settings name folders, and no service watches them; start one with sluice-agent run.")
        }
        Output.results.line(AgentJournal.Unfinished.advice(about: rows))
    }

    /// - Returns: `nil` if no service runs in the home.
    private func service(of home: AgentHome) async throws -> ServiceReport? {
        do throws(ControlFailure) {
            return ServiceReport(try await ControlClient(path: home.controlPath).status())
        } catch {
            guard error == .noService else { throw error }
            return nil
        }
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Continues unfinished uploads; on a terminal, asks for each: now, later, or drop.",
        discussion: "At a question, Ctrl-D leaves this upload and all that follow for later. Ctrl-C ends the command.")
    @Argument(help: "Their numbers, as status lists them; none for all.") var ids: [Int64] = []
    @Flag(help: "All of them, without asking.") var all = false
    @Option(help: "Where the file is now; with one ID.") var file: String?
    @Flag(inversion: .prefixedNo, help: AgentSettings.table.help("receipts")) var receipts: Bool?
    @OptionGroup var options: TransferOptions

    func validate() throws {
        guard file == nil || ids.count == 1 else { throw ValidationError("--file goes with one ID.") }
        guard !all || ids.isEmpty else { throw ValidationError("Give numbers or --all, not both.") }
    }

    func run() async throws {
        let settings = try options.settings(["receipts": receipts.flagText])
        var resumed: [UploadID]? = ids.isEmpty ? nil : ids.map(UploadID.init)
        var dropped: [UploadID] = []
        if ids.isEmpty, !all, !options.json, isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 {
            let rows = try AgentJournal.unfinished(
                in: try options.home.agent, logger: ProgramLog.make(label: "sluice-agent", level: .warning))
            guard !rows.isEmpty else { return Output.results.line("No unfinished uploads.") }
            let decision = ResumeDialogue.onTerminal(rows.filter { !$0.isDropping })
            guard decision != .init() || rows.contains(where: \.isDropping) else { return }
            (resumed, dropped) = (decision.now, decision.drop)
        }
        try await options.upload(.unfinished(resume: resumed, path: file, drop: dropped), settings) { configuration in
            configuration.wantsReceipts = settings.receipts
        }
    }
}

struct Abort: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Drops unfinished uploads, here and in the store, also while a push is sending them.",
        discussion: "If the gateway cannot be reached, the next push or resume drops the uploads.")
    @Argument(help: "Their numbers, as status lists them.") var ids: [Int64]
    @OptionGroup var options: TransferOptions

    func run() async throws {
        let dropped = ids.reduce(into: [UploadID]()) { dropped, id in
            if !dropped.contains(UploadID(id)) { dropped.append(UploadID(id)) }
        }
        try await options.upload(
            .unfinished(resume: [], path: nil, drop: dropped), try options.settings())
    }
}
