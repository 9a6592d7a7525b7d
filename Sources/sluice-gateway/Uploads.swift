import ArgumentParser
import CommandSupport
import GatewayKit
import Settings
import Synchronization
import SystemSupport

struct Uploads: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists and removes unfinished uploads.", subcommands: [List.self, Clean.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists unfinished uploads: age, bytes, device, key.")
        @OptionGroup var home: HomeOption
        @OptionGroup var store: StoreOptions
        @OptionGroup var format: JSONOption

        func run() async throws {
            try home.gateway.confirm()
            let settings = try home.settings(store.flags)
            guard !format.json else {
                throw ExitCode(
                    try await UploadAdministration(site: settings.site).list(
                        observe: { Output.results.json($0.json) }, row: { _ in }, { _ in },
                        advise: { Output.advise("sluice-gateway: \($0)") }))
            }
            let table = Mutex(ListedUploads(width: TerminalOutput.tableWidth))
            let code = try await UploadAdministration(site: settings.site).list(
                row: { cells in table.withLock { $0.add(cells) { Output.results.line($0) } } },
                { line in
                    table.withLock { $0.finish { Output.results.line($0) } }
                    Output.results.line(line)
                }, advise: { Output.advise("sluice-gateway: \($0)") })
            guard code == 0 else { throw ExitCode(code) }
        }
    }

    struct Clean: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Removes abandoned uploads.")
        @Option(help: "Only those without a new part for this long, at least 1h (default: 7d).") var olderThan:
            TimeSpan?
        @Flag(help: "Allow less than 1h. This also removes uploads that agents are sending.") var force = false
        @OptionGroup var home: HomeOption
        @OptionGroup var store: StoreOptions
        @OptionGroup var format: JSONOption

        func run() async throws {
            try home.gateway.confirm()
            let settings = try home.settings(store.flags)
            let age = olderThan?.duration ?? .seconds(7 * 86_400)
            guard force || age >= GatewayProgram.unfinishedExpiryMin else {
                throw ValidationError("--older-than is shorter than 1h; name a longer time, or add --force.")
            }
            guard !format.json else {
                throw ExitCode(
                    try await UploadAdministration(site: settings.site).clean(
                        olderThan: age, observe: { Output.results.json($0.json) }, { _ in },
                        advise: { Output.advise("sluice-gateway: \($0)") }))
            }
            let code = try await UploadAdministration(site: settings.site).clean(
                olderThan: age, { Output.results.line($0) }, advise: { Output.advise("sluice-gateway: \($0)") })
            guard code == 0 else { throw ExitCode(code) }
        }
    }
}
