import Foundation
import SeededRandom
import Synchronization
import TestSupport

/// Sends a tree with one agent, one directory after the other. Restarts the agent whenever it dies.
final class Sender: Sendable {
    private struct Batch: Sendable {
        /// Name of the directory within the tree, and of the prefix within the agent's prefix.
        var name: String
        var keys: [String]
        var changesLeft: Int
    }

    /// One start of this many is not killed. Otherwise the wait for a withdrawn version (specification §9.2) would
    /// start again in each process and never end.
    private static let patience = 15

    private let site: Site
    private let agent: Victim
    private let generator: Mutex<SeededGenerator>

    init(site: Site, agent: Victim, seed: UInt64) {
        self.site = site
        self.agent = agent
        self.generator = Mutex(SeededGenerator(seed: seed))
    }

    private func draw(_ range: ClosedRange<Int>) -> Int {
        generator.withLock { Int.random(in: range, using: &$0) }
    }

    /// Sends batches of files until the site's plan is fulfilled.
    func run() async throws {
        var number = 0
        while !site.isOver {
            number += 1
            var batch = Batch(name: "batch-\(number)", keys: [], changesLeft: draw(0...5) == 0 ? draw(1...6) : 0)
            var bytes = 0
            for file in 0..<draw(1...24) {
                let folder = draw(0...2) == 0 ? "folder/" : ""
                batch.keys.append("\(agent.name)/\(batch.name)/\(folder)file-\(file)")
                bytes += try generator.withLock { try site.tree.write(batch.keys[file], using: &$0) }
            }
            try await send(batch)
            site.tally.count { counts in
                counts.batches += 1
                counts.files += batch.keys.count
                counts.fileBytes += bytes
            }
        }
    }

    private func send(_ batch: Batch) async throws {
        let changesLeft = Watched(batch.changesLeft)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                while changesLeft.current > 0 {
                    await pause(.milliseconds(self.draw(20...600)))
                    try self.change(batch)
                    changesLeft.update { $0 -= 1 }
                }
            }
            tasks.addTask { await self.look(at: batch) }
            try await self.push(batch) { changesLeft.current }
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
        try await Inspection(site: site).lookAtFinished(below: "\(agent.name)/\(batch.name)/")
    }

    /// Starts the agent again and again, until it reports that all files are stored, and none has changed since that
    /// start.
    private func push(_ batch: Batch, changesLeft: () -> Int) async throws {
        let limit = ContinuousClock.now + .seconds(900)
        for start in 1... {
            let before = changesLeft()
            let isSpared = start % Self.patience == 0
            let resumes = !isSpared && draw(0...3) == 0
            if isSpared { site.tally.count { $0.mercies += 1 } }
            if !site.isOver { agent.spare(isSpared) }
            let ending = try await agent.run(arguments(batch, resumes: resumes)).ending
            switch ending {
            case .exited(0) where !resumes && before == 0: return
            case .killed, .exited(0), .exited(75): break
            // The agent may exit with 65 or 1 if a file has changed after its upload began. Both codes are allowed as
            // long as the test changes files.
            case .exited(65), .exited(1): if batch.changesLeft == 0 { told(ending, batch) }
            case .exited, .crashed, .hung: told(ending, batch)
            }
            guard ContinuousClock.now < limit else {
                throw TortureFailure(description: "\(agent.name) does not come to an end with \(batch.name)")
            }
        }
    }

    private func told(_ ending: Victim.Ending, _ batch: Batch) {
        site.tally.violation("\(agent.name) with \(batch.name): \(ending), see \(agent.name).log")
    }

    private func arguments(_ batch: Batch, resumes: Bool) -> [String] {
        var arguments = ["resume", "--all"]
        if !resumes {
            let folder = site.tree.file("\(agent.name)/\(batch.name)").path(percentEncoded: false)
            arguments = ["push", folder, "--prefix", "\(batch.name)/", "--part-size", site.partSize]
            // While files are being changed, a later version must be able to replace an earlier one.
            if batch.changesLeft > 0 { arguments += ["--if-exists", "replace"] }
        }
        return arguments + [
            "--home", site.path(agent.name), "--json", "--retry-for", "\(draw(2...30))s",
            "--concurrency", "\(draw(1...6))", "--connections", "\(draw(1...2))",
            "--compress", ["auto", "always", "never"][draw(0...2)],
        ]
    }

    private func change(_ batch: Batch) throws {
        let key = batch.keys[draw(0...batch.keys.count - 1)]
        let isAppended = draw(0...1) == 0
        try generator.withLock { generator in
            if isAppended {
                _ = try site.tree.append(key, using: &generator)
            } else {
                _ = try site.tree.write(key, using: &generator)
            }
        }
        site.tally.count { $0.changes += 1 }
    }

    private func look(at batch: Batch) async {
        while !Task.isCancelled {
            await pause(.milliseconds(draw(1_000...6_000)))
            guard !Task.isCancelled else { return }
            await Inspection(site: site).lookAtUnfinished(below: "\(agent.name)/\(batch.name)/")
        }
    }
}
