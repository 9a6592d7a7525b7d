import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// Tests that the service takes new settings while it runs, and keeps the old ones if the new ones are wrong.
    @Suite
    struct ServiceReloadTests {
        @Test func foldersComeAndGo() async throws {
            try await Site.serving { site, agent in
                _ = try site.makeFile("one/first", bytes: 10_000, seed: 1)
                _ = try site.makeFile("two/second", bytes: 10_000, seed: 2)
                let (one, two) = (try site.folder("one"), try site.folder("two"))
                try agent.watch(one)
                try await agent.withService { service in
                    try await service.waitUntilProven("first")
                    try await site.expectNoObject("second")

                    try agent.watch(one, two)
                    try await service.ask("reload")
                    try await service.waitUntilProven("second")
                    #expect(try await service.status().folders.map(\.name) == ["one", "two"])

                    try agent.watch(two)
                    service.program.kill(SIGHUP)
                    try await service.waitForStatus("one folder less") { $0.folders.map(\.name) == ["two"] }

                    // The folder is back, and the service still knows that its file is proven.
                    try agent.watch(two, one)
                    try await service.ask("reload")
                    let status = try await service.waitForStatus("the former folder") { $0.folder("one")?.proven == 1 }
                    let proofs = service.program.lines.filter { line in
                        line.text.contains("\"Proven\"") && line.text.contains("\"first\"")
                    }
                    #expect(proofs.count == 1, "\(status.text)")
                }
            }
        }

        /// A reload while a file is being sent loses nothing.
        @Test func reloadContinuesUploads() async throws {
            try await Site.serving { site, agent in
                let file = try site.makeFile("in/large", bytes: 12 * site.partBytes)
                let rate = "limit-rate: \(4 * site.partBytes / 1_000_000)MB/s"
                try agent.watch(site.folder("in"), settings: [rate, "part-size: \(site.partSize)"])
                try await agent.withService { service in
                    try await service.waitForStatus("an upload") { $0.folder("in")?.state == "sending" }
                    try await service.ask("reload")
                    try await service.waitUntilProven("large")
                    try await site.expectObject("large", equals: file)
                }
                try await site.expectNothingUnfinished()
            }
        }

        @Test(arguments: [("path: relative", "absolute"), ("after: move", "move-to"), ("colour: blue", "colour")])
        func wrongSettingsChangeNothing(more: String, reason: String) async throws {
            try await Site.serving { site, agent in
                let good = try site.folder("in")
                try agent.watch(good)
                try await agent.withService { service in
                    let place = more.hasPrefix("path") ? "" : "path: \(site.path("wrong")), "
                    try agent.watch(good, "name: wrong, \(place)\(more)")
                    let answer = try await service.ask("reload", exits: 1)
                    #expect(answer.contains(reason), "\(answer)")
                    let status = try await service.status()
                    let problem = status.service?.settingsProblem ?? ""
                    #expect(problem.contains(reason), "\(status.text)")
                    #expect(problem.contains(/agent\.yaml:\d+/), "\(status.text)")
                    #expect(status.folders.map(\.name) == ["in"])

                    service.program.kill(SIGHUP)
                    try await service.waitForLog("The settings were not read again")
                    let file = try site.makeFile("in/file", bytes: 1_000)
                    try await service.waitUntilProven("file")
                    try await site.expectObject("file", equals: file)

                    try agent.watch(good)
                    try await service.ask("reload")
                    #expect(try await service.status().service?.settingsProblem == nil)
                }
            }
        }
    }
}
