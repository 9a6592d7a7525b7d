import Foundation
import S3Servers
import TestSupport

/// Kills real agents and gateways while they send a tree over a faulty link, and prints the results. Exit code 1 if any
/// violation occurred.
@main
enum TortureProgram {
    static let usage = """
        usage: sluice-torture [--kills N] [--files N] [--store directory|juiceFS]… [--seed S] [--keep]
        Kills N processes (100), shared among the stores (both), and sends N files (twice as many) or more. A seed
        decides what is drawn; what the processes make of it depends on their speed too. --keep leaves everything.
        """

    private struct Options {
        var kills = 100
        var files: Int?
        var kinds: [StorageKind] = []
        var seed = UInt64.random(in: 1...999_999)
        var keeps = false
    }

    /// Parses the options and runs the torture.
    static func main() async {
        guard let options = options() else {
            say(usage)
            exit(64)
        }
        do {
            exit(try await run(options) ? 0 : 1)
        } catch {
            say("the torture itself failed: \(error)")
            exit(70)
        }
    }

    private static func options() -> Options? {
        var options = Options()
        var arguments = CommandLine.arguments.dropFirst().makeIterator()
        while let flag = arguments.next() {
            switch flag {
            case "--keep": options.keeps = true
            case "--kills":
                guard let kills = arguments.next().flatMap({ Int($0) }), kills > 0 else { return nil }
                options.kills = kills
            case "--files":
                guard let files = arguments.next().flatMap({ Int($0) }) else { return nil }
                options.files = files
            case "--seed":
                guard let seed = arguments.next().flatMap({ UInt64($0) }) else { return nil }
                options.seed = seed
            case "--store":
                guard let kind = arguments.next().flatMap({ StorageKind(rawValue: $0) }) else { return nil }
                options.kinds.append(kind)
            default: return nil
            }
        }
        if options.kinds.isEmpty { options.kinds = StorageKind.usual }
        return options
    }

    private static func run(_ options: Options) async throws -> Bool {
        let directory = FileManager.default.temporaryDirectory
            .appending(path: "sluice-torture-\(UUID().uuidString)", directoryHint: .isDirectory)
        let stores = options.kinds.map { " --store \($0)" }.joined()
        say("seed \(options.seed); repeat: sluice-torture --kills \(options.kills) --seed \(options.seed)\(stores)")
        let start = ContinuousClock.now
        let results = try await withThrowingTaskGroup(of: Tally.self) { sites in
            for (number, kind) in options.kinds.enumerated() {
                let plan = Site.Plan(
                    kind: kind, seed: options.seed &+ UInt64(number) << 32,
                    kills: (options.kills + number) / options.kinds.count,
                    filesMin: (options.files ?? options.kills * 2) / options.kinds.count)
                let place = directory.appending(path: kind.rawValue, directoryHint: .isDirectory)
                sites.addTask { try await torture(plan, in: place) }
            }
            return try await sites.reduce(into: [Tally]()) { $0.append($1) }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let violations = results.flatMap { tally in tally.current.violations.map { "\(tally.name): \($0)" } }
        for violation in violations { say("VIOLATION \(violation)") }
        for tally in results {
            for line in Report(tally: tally.current, name: tally.name, seconds: seconds).lines { say(line) }
        }
        if violations.isEmpty, !options.keeps {
            try FileManager.default.removeItem(at: directory)
        } else {
            say("\nhomes, files and logs are kept in \(directory.path(percentEncoded: false))")
        }
        return violations.isEmpty
    }

    private static func torture(_ plan: Site.Plan, in directory: URL) async throws -> Tally {
        let tally = Tally(name: plan.kind.rawValue)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try await plan.kind.with(in: directory) { storage in
            try await withFaultProxy(upstreamPort: 1) { proxy in
                let site = try await Site.make(plan, in: directory, storage: storage, proxy: proxy, tally: tally)
                try await site.torture()
            }
        }
        return tally
    }
}
