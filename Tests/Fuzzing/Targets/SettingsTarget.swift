import AgentKit
import GatewayKit
import Settings
import TransferCommon

extension FuzzTarget {
    /// The settings files of both programs. The first byte selects JSON or YAML; the rest is the file.
    package static let settings = FuzzTarget(name: "settings", inputBytesMax: DocumentLimits.bytesMax) { input in
        let isJSON = input.first.map { $0 & 1 == 1 } ?? false
        let bytes = Array(input.dropFirst())
        let path = isJSON ? "settings.json" : "settings.yaml"
        let file: SettingsFile
        do throws(SettingsError) {
            file = try SettingsFile(path: path, bytes: bytes)
        } catch {
            return try expectSentences(error)
        }
        try expectWithin(file.root, bytes, depth: 0)
        try expectSettled(AgentSettings.table, file)
        try expectRules(file)
        try expectSettled(GatewaySettings.table, file)
        if let changed = file.replacing("gateway", with: "g:1", in: bytes) { try expectGateway(changed, path) }
        try expectOnlyChanges([("pin", nil), ("gateway", "g:1"), ("ca", "c")], file, bytes)
        try expectOnlyChanges([("limit-rate", nil)], file, bytes)
    } seeds: { _ in
        var seeds: [String: [UInt8]] = [:]
        for (name, text) in yamlSeeds { seeds["yaml-\(name)"] = [0] + text.utf8 }
        for (name, text) in jsonSeeds { seeds["json-\(name)"] = [1] + text.utf8 }
        return seeds
    }
}

private let yamlSeeds = [
    "agent": """
    # An agent
    gateway: "gateway.example.org:7420"
    pin: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    limit-rate: 20MB/s
    concurrency: 8
    interface: [eth0, wwan0]
    receipts: true
    retry-for: 5min

    """,
    "gateway": """
    listen: 0.0.0.0:7420
    store: s3://bucket/prefix
    s3-provider: aws
    budget: 128MiB
    proxy-from:
      - 10.0.0.0/8
      - 'fd00::/8'
    unfinished-expiry: 7d
    verify: auto

    """,
    "folders": """
    limits: {rate: 20Mbit/s, schedule: [{days: mon-fri, from: "07:00", to: "19:00", rate: 2Mbit/s}, {rate: 0}]}
    metered: {interfaces: [wwan0], min-priority: 5}
    quarantine-after: 5
    state-limit: 1GiB
    folders:
      - {name: a, path: /d/a, include: ["*.mp4"], exclude: ["tmp/**"], key: "{yyyy}/{relative}",
         ready: {when: marker, for: 10s, marker: .done}, after: move, move-to: /d/sent, grace: 1h, on-change: new-key,
         metadata: {site: north}, disk: {free-min: 5GiB, when-full: shed}}
      - {name: b, path: /d/b, order: newest, priority: 9, confirm: never, recheck: stamp, content-type: video/mp4}

    """,
    "nested": "folders:\n  - name: a\n    include: [\"*.mp4\", 'b']\n    ready: {when: idle, for: 10s}\n",
    "wrong": "limit-rat: 20\nconcurrency: 0\nplaintext: yes\nprefix:\ncompress: [1, {a: ~}]\nbudget: 16\n",
    "twice": "gateway: a:1\ngateway: b:2\n",
    "alias": "a: &x [1, 2]\nb: *x\nc: !!str 3\n",
    "block": "prefix: |\n  text\ncontent-type: >-\n  video/mp4\n",
    "mark": "\u{FEFF}gateway: \"\\u00e9:1\" # é😀\r\n",
    "flow": "{\npin: x, limit-rate: 1MB/s,\ngateway: g, ca: y}\n",
    "deep": String(repeating: "[", count: 40), "documents": "---\na: 1\n---\nb: 2\n",
]

private let jsonSeeds = [
    "agent":
        "{\n  \"gateway\": \"g:1\",\n  \"concurrency\": \"4\", \"receipts\": true,\n  \"limit-rate\": \"1MB\\/s\"\n}\n",
    "wrong": "{\"budget\": 16, \"ca\": true, \"interface\": [\"eth0\", null], \"gateway\": -1.5e3}",
    "escapes": "{\"prefix\": \"\\ud83d\\ude00\\u0000\\n\\\"\\\\\", \"gateway\": \"\\udead\"}",
    "cut": "{\"gateway\": [[[{\"a\": \"",
]

private func expectSentences(_ error: SettingsError) throws(FuzzFinding) {
    try expect(
        !error.lines.isEmpty && error.lines.count <= SettingProblems.reportedMax + 1, "\(error.lines.count) lines")
    for line in error.lines {
        try expect(!line.isEmpty && line.utf8.count < 2_000, "a message of \(line.utf8.count) bytes")
        try expect(line.withVisibleControls == line, "a message with control characters")
    }
}

/// Checks that every value lies in the file, and that the limits of a file hold.
private func expectWithin(_ node: SettingNode, _ bytes: [UInt8], depth: Int) throws(FuzzFinding) {
    try expect(depth <= DocumentLimits.depthMax, "a value at depth \(depth)")
    try expect(node.line >= 1 && node.line <= bytes.count + 1, "a value in line \(node.line)")
    switch node.value {
    case .scalar(let scalar):
        try expect(scalar.range.lowerBound >= 0 && scalar.range.upperBound <= bytes.count, "a value beyond the end")
    case .list(let nodes):
        for node in nodes { try expectWithin(node, bytes, depth: depth + 1) }
    case .map(let entries):
        for entry in entries { try expectWithin(entry.value, bytes, depth: depth + 1) }
    }
}

private func expectSettled<Root>(_ table: SettingsTable<Root>, _ file: SettingsFile) throws(FuzzFinding) {
    let rows: [SettingRow]
    do throws(SettingsError) {
        rows = try table.read(file: file).rows
    } catch {
        return try expectSentences(error)
    }
    try expectLines(SettingsReport.lines(rows))
}

/// Checks that folders that can be read have rules for the machine.
private func expectRules(_ file: SettingsFile) throws(FuzzFinding) {
    // `expectSettled` has checked the messages of a file that is refused.
    guard let settings = try? AgentSettings.table.read(file: file).values else { return }
    try expect(settings.folderRules.count == settings.folders.count, "a folder without rules")
    _ = settings.rateSchedule
}

private func expectLines(_ lines: [String]) throws(FuzzFinding) {
    for line in lines { try expect(line.withVisibleControls == line, "an output with control characters") }
}

/// Checks that a file with another address of the gateway has this address.
private func expectGateway(_ bytes: [UInt8], _ path: String) throws(FuzzFinding) {
    // The new text may be longer, so that the file is too long now.
    guard bytes.count <= DocumentLimits.bytesMax else { return }
    let root: SettingNode
    do throws(SettingsError) {
        root = try SettingsFile(path: path, bytes: bytes).root
    } catch {
        throw FuzzFinding("a file with another gateway cannot be read: \(error)")
    }
    guard case .map(let entries) = root.value,
        case .scalar(let scalar) = entries.first(where: { $0.key == "gateway" })?.value.value
    else { throw FuzzFinding("a file with another gateway has none") }
    try expect(scalar.text == "g:1", "another gateway than was written")
}

/// Checks that a program's change leaves every other setting as it was.
private func expectOnlyChanges(
    _ settings: [(name: String, text: String?)], _ file: SettingsFile, _ bytes: [UInt8]
) throws(FuzzFinding) {
    guard let changed = file.changed(settings, in: bytes) else { return }
    let before = entries(file)
    let after: [SettingEntry]
    do throws(SettingsError) {
        after = entries(try SettingsFile(path: file.path, bytes: changed))
    } catch {
        throw FuzzFinding("a changed file cannot be read: \(error)")
    }
    func isRequested(_ entry: SettingEntry) -> Bool { settings.contains { entry.key.hasSameBytes(as: $0.name) } }
    let (kept, found) = (before.filter { !isRequested($0) }, after.filter { !isRequested($0) })
    try expect(kept.count == found.count, "\(found.count) other settings after a change, \(kept.count) before")
    for (old, new) in zip(kept, found) {
        try expect(old.key.hasSameBytes(as: new.key), "another setting has another key after a change")
        try expect(old.value.hasSameValue(as: new.value), "another setting has another value after a change")
    }
    try expect(after.count - found.count == settings.filter { $0.text != nil }.count, "a setting was not changed")
}

private func entries(_ file: SettingsFile) -> [SettingEntry] {
    if case .map(let entries) = file.root.value { entries } else { [] }
}
