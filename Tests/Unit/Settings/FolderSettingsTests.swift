import AgentKit
import FolderCore
import RepositoryFiles
import Settings
import Testing
import TransferCommon

/// Tests of the settings of watched folders, from the text of `agent.yaml` to the rules of the machine.
@Suite struct FolderSettingsTests {
    private func read(_ text: String) throws(SettingsError) -> SettingsInForce<AgentSettings> {
        try AgentSettings.table.read(text, at: "agent.yaml")
    }

    private func problems(_ text: String) -> [String] { AgentSettings.table.problems(of: text, at: "agent.yaml") }

    /// The settings of one folder with these keys beside its name and path.
    private func folder(_ keys: String) throws -> FolderSettings {
        try #require(try read("folders:\n- {name: a, path: /d, \(keys)}\n").values.folders.first)
    }

    // MARK: The example

    private static let example = "Documentation/agent.yaml"

    @Test func exampleIsComplete() throws {
        let text = try RepositoryFiles.text(of: Self.example)
        let settings = try read(text)
        #expect(settings.values.folders.map(\.name) == ["recordings", "scans", "logs"])
        let given = settings.rows.filter { $0.source != .usual }.map(\.name)
        var names = FolderSettings.keys.settings.map { ".\($0.name)" }
        names += FolderSettings.Readiness.keys.settings.map { ".ready.\($0.name)" }
        names += FolderSettings.DiskRule.keys.settings.map { ".disk.\($0.name)" }
        names += ScheduleSettings.windowKeys.settings.map { "limits.schedule[1].\($0.name)" }
        names += ["limits.rate", "metered.interfaces", "metered.min-priority", "quarantine-after", "state-limit"]
        for name in names where name != ".ready" && name != ".disk" {
            #expect(given.contains { $0 == name || $0.hasSuffix("]\(name)") }, "\(name) is not in \(Self.example)")
        }
    }

    @Test func exampleHasTheRulesThatItsCommentsDescribe() throws {
        let settings = try read(try RepositoryFiles.text(of: Self.example)).values
        var recordings = FolderRules()
        recordings.keys = try KeyTemplate("{yyyy}/{mm}/{dd}/{relative}")
        recordings.after = .delete(grace: .seconds(3_600))
        recordings.freeBytesMin = 5 << 30
        var scans = FolderRules()
        scans.ready = .marker
        scans.after = .move(grace: .seconds(3_600))
        scans.priority = 7
        var logs = FolderRules()
        logs.keys = try KeyTemplate("logs/{device}/{relative}")
        logs.onChange = .newKey
        #expect(settings.folderRules == [recordings, scans, logs])
        #expect(settings.folderLimits(device: "d").stateBytesMax == 1 << 30)
        #expect(settings.folderLimits(device: "d").device == "d")
        #expect(settings.folders.map(\.markerSuffix) == [nil, ".done", nil])
        #expect(settings.folders[1].moveTo == "/data/sent")
        #expect(settings.metered?.interfaces == ["wwan0"])
        #expect(settings.metered?.priorityMin == 5)
        let metadata = try settings.folders[0].objectMetadata(contentType: "text/plain")
        #expect(metadata.contentType == "video/mp4")
        #expect(metadata.pairs == [MetadataPair(name: "site", value: "north")])
        #expect(try settings.folders[1].objectMetadata(contentType: "text/plain").contentType == "text/plain")
    }

    // MARK: Values

    /// A folder without any word of the user deletes and replaces nothing.
    @Test func defaultsAreThoseOfTheMachine() throws {
        let settings = try read("folders: [{name: a, path: /d}]\n").values
        #expect(settings.folderRules == [FolderRules()])
        #expect(settings.folders[0].receipts == nil)
        #expect(try read("\n").values.folderRules.isEmpty)
        #expect(try read("\n").values.folderLimits(device: "device") == FolderLimits())
    }

    @Test func everyWordHasItsRule() throws {
        let ready = try ["idle", "rename", "close-write", "marker"].map {
            try folder("ready: {when: \($0)}").rules(prefix: "", quarantineAfter: 1).ready
        }
        #expect(ready == [.idle, .rename, .closeWrite, .marker])
        let order = try ["oldest", "newest", "smallest", "name"].map { try folder("order: \($0)").order }
        #expect(order == [.oldest, .newest, .smallest, .name])
        let change = try ["keep", "replace", "new-key"].map { try folder("on-change: \($0)").onChange }
        #expect(change == [.keep, .replace, .newKey])
        let full = try ["hold", "delete-proven-early", "shed"].map {
            try folder("disk: {free-min: 1GiB, when-full: \($0)}").rules(prefix: "", quarantineAfter: 1).whenFull
        }
        #expect(full == [.hold, .deleteProvenEarly, .shed])
        #expect(try !folder("confirm: never").rules(prefix: "", quarantineAfter: 1).confirmsBeforeRemoval)
        #expect(try !folder("recheck: stamp").rules(prefix: "", quarantineAfter: 1).rechecksContent)
        #expect(
            try folder("after: delete, grace: 0s").rules(prefix: "", quarantineAfter: 1).after == .delete(grace: .zero))
    }

    @Test func prefixStandsBeforeEveryKey() throws {
        let settings = try read("prefix: \"{x}/\"\nfolders: [{name: a, path: /d, key: \"k-{name}\"}]\n").values
        let key = try settings.folderRules[0].keys.key(
            of: ItemPath("b/c"), modified: ModificationTime(seconds: 0, nanoseconds: 0), device: "device")
        #expect(key.text == "{x}/k-c")
    }

    @Test func patternsChooseFiles() throws {
        let filter = try folder("include: [\"*.mp4\"], exclude: [\"tmp/**\"]").filter
        #expect(filter.sendsFile(Array("a/b.mp4".utf8)))
        #expect(!filter.sendsFile(Array("tmp/b.mp4".utf8)))
        #expect(!filter.sendsFile(Array("b.txt".utf8)))
    }

    // MARK: Refusals

    @Test(arguments: [
        ("name: \"\"", "folders[1].name: must be 1 to 64 letters"),
        ("name: a/b", "folders[1].name: must be 1 to 64 letters"),
        ("name: -a", "folders[1].name: must be 1 to 64 letters"),
        ("path: data", "folders[1].path: must be an absolute path"),
        ("path: /", "folders[1].path: must be a directory below /"),
        ("path: /d/", "folders[1].path: must be a path without"),
        ("path: /d/../e", "folders[1].path: must be a path without"),
        ("include: [\"\"]", "folders[1].include[1]: is an empty pattern"),
        ("exclude: [/tmp]", "folders[1].exclude[1]: begins with a slash"),
        ("symlinks: follow", "folders[1].symlinks: \"follow\" is none of skip"),
        ("key: \"{yyyy}/{ext}\"", "folders[1].key: the key pattern gives several files the same key"),
        ("key: \"{nam}\"", "folders[1].key: the key pattern has the unknown field {nam}"),
        ("key: \"{name\"", "folders[1].key: the key pattern has a { without }"),
        ("key: \"/{name}\"", "folders[1].key: the file a/b.c gets no valid key from it: the key begins"),
        ("ready: {when: idel}", "folders[1].ready.when: \"idel\" is none of"),
        ("ready: {for: 10}", "folders[1].ready.for: a number needs a unit"),
        ("ready: {marker: .done}", "folders[1].ready.marker: has no effect without when: marker"),
        ("ready: {when: marker, marker: .ok}", "folders[1].ready.marker: \".ok\" is none of .done"),
        ("rescan: 0s", "folders[1].rescan: must be a time from 1s to 1d"),
        ("order: biggest", "folders[1].order: \"biggest\" is none of"),
        ("priority: 10", "folders[1].priority: must be from 0 to 9"),
        ("after: move", "folders[1].after: move needs the key move-to"),
        ("move-to: /sent", "folders[1].move-to: has no effect without after: move"),
        ("after: move, move-to: sent", "folders[1].move-to: must be an absolute path"),
        ("after: move, move-to: /d/sent", "folders[1].move-to: \"/d/sent\" is inside the folder \"a\""),
        ("after: move, move-to: /d", "folders[1].move-to: \"/d\" is inside the folder \"a\""),
        ("grace: 1h", "folders[1].grace: has no effect without after: delete"),
        ("after: delete, grace: 1", "folders[1].grace: a number needs a unit"),
        ("confirm: true", "folders[1].confirm: must be before-delete, never"),
        ("recheck: no", "folders[1].recheck: \"no\" is none of content, stamp"),
        ("on-change: replce", "folders[1].on-change: \"replce\" is none of keep, replace, new-key; did you mean"),
        ("metadata: [a]", "folders[1].metadata: must be a map of names and values"),
        ("metadata: {a: [1]}", "folders[1].metadata.a: must be text"),
        ("metadata: {\"a b\": c}", "folders[1].metadata: the metadata name \"a b\" is not"),
        ("metadata: {a: é}", "folders[1].metadata: the metadata value of \"a\" is empty, or not printable"),
        ("metadata: {sluice-a: b}", "folders[1].metadata: the metadata name \"sluice-a\" begins with sluice-"),
        ("content-type: video", "folders[1].content-type: must be a content type, such as video/mp4"),
        ("disk: {when-full: shed}", "folders[1].disk.when-full: has no effect without free-min"),
        (
            "after: move, move-to: /s, disk: {free-min: 1GiB, when-full: shed}",
            "folders[1].disk: must have when-full: hold with after: move"
        ),
        ("disk: {free-min: 5}", "folders[1].disk.free-min: a number needs a unit"),
    ])
    func impossibleKeysAreRefused(keys: String, sentence: String) {
        // A key that is given here takes the place of the usual one.
        var all = [keys]
        if !keys.hasPrefix("name:") { all.append("name: a") }
        if !keys.hasPrefix("path:") { all.append("path: /d") }
        let found = problems("\nfolders: [{\(all.joined(separator: ", "))}]\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("agent.yaml:2: \(sentence)") == true, "\(found)")
    }

    @Test(arguments: [
        ("{name: a, path: /d}", "{name: a, path: /e}", "folders[2].name: another folder is called \"a\", too"),
        (
            "{name: a, path: /d}", "{name: b, path: /d}",
            "folders[2].path: \"/d\" and the folder \"a\" have files in common"
        ),
        ("{name: a, path: /d}", "{name: b, path: /d/e}", "folders[2].path: \"/d/e\" and the folder \"a\" have"),
        ("{name: a, path: /d/e}", "{name: b, path: /d}", "folders[2].path: \"/d\" and the folder \"a\" have"),
        (
            "{name: a, path: /d, after: move, move-to: /e/f}", "{name: b, path: /e}",
            "folders[1].move-to: \"/e/f\" is inside the folder \"b\""
        ),
    ])
    func foldersThatDoNotGoTogetherAreRefused(first: String, second: String, sentence: String) {
        let line = sentence.hasPrefix("folders[1]") ? 2 : 3
        let found = problems("folders:\n- \(first)\n- \(second)\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("agent.yaml:\(line): \(sentence)") == true, "\(found)")
    }

    @Test func namesThatOnlyBeginAlikeGoTogether() {
        #expect(problems("folders: [{name: a, path: /d}, {name: ab, path: /d2}, {name: A, path: /D}]\n").isEmpty)
    }

    @Test func homeInsideAFolderIsRefused() throws {
        let settings = try read("\nfolders: [{name: a, path: /no/such}]\n")
        func problems(_ home: String) -> [String] {
            AgentSettings.problems(of: settings, in: AgentHome(path: home)).map(\.description)
        }
        let found = problems("/no/such/.sluice")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("agent.yaml:2: folders: the folder a contains the home") == true, "\(found)")
        #expect(problems("/no/such").count == 1)
        #expect(problems("/no/such2").isEmpty)
    }

    @Test(arguments: [
        ("quarantine-after: 0", "quarantine-after: must be from 1 to 255"),
        ("state-limit: 1MiB", "state-limit: must be a size from 16MiB to 1TiB"),
        ("metered: {interfaces: [wwan0]}", "metered: the key min-priority is missing"),
        ("metered: {min-priority: 5}", "metered: the key interfaces is missing"),
        ("metered: {interfaces: [\"a b\"], min-priority: 5}", "metered.interfaces[1]: must be the name of"),
        ("metered: {interfaces: [a], min-priority: 10}", "metered.min-priority: must be from 0 to 9"),
    ])
    func impossibleSettingsOfTheServiceAreRefused(text: String, sentence: String) {
        let found = problems(text + "\n")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("agent.yaml:1: \(sentence)") == true, "\(found)")
    }

    /// Only the file has these settings, so a variable of their name causes a warning.
    @Test func variablesDoNotSetFolders() {
        let warnings = AgentSettings.table.warnings(about: ["SLUICE_FOLDERS": "a"])
        #expect(
            warnings == [
                "the variable SLUICE_FOLDERS has no effect on sluice-agent: folders is read from the file alone"
            ])
    }
}
