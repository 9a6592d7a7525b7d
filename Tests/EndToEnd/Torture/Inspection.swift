import Foundation
import S3Servers
import TestSupport

/// Compares the objects in the store with the files, without Sluice.
struct Inspection: Sendable {
    let site: Site

    /// Checks that each object equals some version of its file. Agents may still be sending meanwhile.
    func lookAtUnfinished(below prefix: String) async {
        do {
            try await site.storage.withObjects(below: prefix) { objects in
                for (key, object) in objects {
                    let digest = try fileDigest(object)
                    site.tally.count { $0.looks += 1 }
                    if !site.tree.has(digest, under: key) {
                        site.tally.violation("\(key) never had the content of this object\(try kept(object, of: key))")
                    }
                }
            }
        } catch {
            // An object was replaced or removed during the inspection; the next inspection covers it.
        }
    }

    /// Checks that the objects equal the present versions of the files, and that no other objects exist.
    func lookAtFinished(below prefix: String) async throws {
        let files = site.tree.present.filter { $0.key.hasPrefix(prefix) }
        try await site.storage.withObjects(below: prefix) { objects in
            for (key, digest) in files.sorted(by: { $0.key < $1.key }) {
                guard let object = objects[key] else {
                    site.tally.violation("\(key) is reported as stored, but there is no object")
                    continue
                }
                guard try fileDigest(object) != digest else { continue }
                let other = try site.tree.has(fileDigest(object), under: key) ? "an earlier version" : "something else"
                site.tally.violation("\(key) is reported as stored, but holds \(other)\(try kept(object, of: key))")
            }
            for key in objects.keys.sorted() where files[key] == nil {
                site.tally.violation("\(key) is an object that no agent sent")
            }
        }
    }

    /// Checks all objects, journals and unfinished uploads when all programs have ended.
    func lookAtEverything() async throws {
        try await lookAtFinished(below: "")
        for agent in site.agents {
            let told = try await site.run("sluice-agent", ["status", "--home", site.path(agent.name)])
            if told.first != "No unfinished uploads." {
                site.tally.violation("\(agent.name) still has in its journal:\n\(told.joined(separator: "\n"))")
            }
        }
        let cleaned = try await site.administer(["uploads", "clean", "--older-than", "0s", "--force"])
        site.tally.count { $0.cleaned = cleaned.filter { $0.hasPrefix("removed ") }.count }
        let listed = try await site.administer(["uploads", "list"])
        if listed != ["No unfinished uploads."] {
            site.tally.violation("after cleaning there are still\n\(listed.joined(separator: "\n"))")
        }
        let unfinished = try await site.storage.unfinished()
        if !unfinished.isEmpty {
            site.tally.violation("after cleaning the store still has\n\(unfinished.joined(separator: "\n"))")
        }
    }

    private func kept(_ object: URL, of key: String) throws -> String {
        let copy = site.directory.appending(path: "logs/\(key.replacing("/", with: "_"))-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: object, to: copy)
        return ", see logs/\(copy.lastPathComponent)"
    }
}

extension Site {
    /// Runs a command to its end.
    ///
    /// - Returns: the lines of its standard output.
    func run(_ program: String, _ arguments: [String]) async throws -> [String] {
        let ended = try await TestSupport.run(
            .built(program), arguments, environment: Program.environment(adding: storage.environment),
            within: .seconds(300))
        guard ended.exitStatus == .exited(0) else { throw TortureFailure(description: ended.transcript) }
        return ended.lines(of: .standardOutput)
    }

    /// Runs a gateway's command that accesses the store.
    func administer(_ arguments: [String]) async throws -> [String] {
        try await run("sluice-gateway", arguments + ["--home", path("gateway-0")] + storage.options)
    }
}
