import AgentKit
import Foundation
import GatewayKit
import InterfaceSupport
import RepositoryFiles
import Settings
import Testing

/// The tables of Documentation/settings.md and Documentation/service.md are made from the tables of the code.
@Suite struct SettingsPageTests {
    /// If this test fails, run it with the environment variable `WRITE_SETTINGS_PAGE=1`. It then writes the page.
    @Test func pageHasEverySetting() throws {
        let agent = SettingsPage(AgentSettings.table, home: "~/" + AgentSettings.usualFolder)
        let gateway = SettingsPage(GatewaySettings.table, home: "~/" + GatewaySettings.usualFolder)
        try check(
            "Documentation/settings.md",
            [(agent, AgentSettings.table.program), (gateway, GatewaySettings.table.program)])
    }

    /// Likewise.
    @Test func pageOfTheServiceHasEveryKey() throws {
        try check(
            "Documentation/service.md",
            [
                (SettingsPage(keysOf: FolderSettings.keys), "a folder"),
                (SettingsPage(keysOf: FolderSettings.Readiness.keys), "ready"),
                (SettingsPage(keysOf: FolderSettings.DiskRule.keys), "disk"),
                (SettingsPage(keysOf: ScheduleSettings.keys), "limits"),
                (SettingsPage(keysOf: ScheduleSettings.windowKeys), "a window"),
                (SettingsPage(keysOf: MeteredSettings.keys), "metered"),
            ])
    }

    private func check(_ path: String, _ tables: [(table: SettingsPage, name: String)]) throws {
        let url = RepositoryFiles.url(of: path)
        let page = try String(contentsOf: url, encoding: .utf8)
        var text = page
        for (table, name) in tables {
            text = try #require(table.inserted(into: text, name: name), "\(path) has no table of \(name)")
        }
        if ProcessInfo.processInfo.environment["WRITE_SETTINGS_PAGE"] != nil {
            try text.write(to: url, atomically: true, encoding: .utf8)
        } else {
            #expect(page == text, "\(path) is not up to date: run this test with WRITE_SETTINGS_PAGE=1")
        }
    }
}
