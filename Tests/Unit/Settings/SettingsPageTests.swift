import AgentKit
import Foundation
import GatewayKit
import InterfaceSupport
import RepositoryFiles
import Settings
import Testing

/// The tables of Documentation/settings.md are made from the tables of the code.
@Suite struct SettingsPageTests {
    private static let path = "Documentation/settings.md"

    /// If this test fails, run it with the environment variable `WRITE_SETTINGS_PAGE=1`. It then writes the page.
    @Test func pageHasEverySetting() throws {
        let url = RepositoryFiles.url(of: Self.path)
        let page = try String(contentsOf: url, encoding: .utf8)
        let agent = SettingsPage(AgentSettings.table, home: "~/" + AgentSettings.usualFolder)
        let gateway = SettingsPage(GatewaySettings.table, home: "~/" + GatewaySettings.usualFolder)
        let text = try #require(
            agent.inserted(into: page, name: AgentSettings.table.program)
                .flatMap { gateway.inserted(into: $0, name: GatewaySettings.table.program) })
        if ProcessInfo.processInfo.environment["WRITE_SETTINGS_PAGE"] != nil {
            try text.write(to: url, atomically: true, encoding: .utf8)
        } else {
            #expect(page == text, "\(Self.path) is not up to date: run this test with WRITE_SETTINGS_PAGE=1")
        }
    }
}
