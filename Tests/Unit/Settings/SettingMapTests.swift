import InterfaceSupport
import Settings
import Testing

/// A map that exists only in these tests.
private struct Shelf: Equatable, Sendable {
    struct Lamp: Equatable, Sendable {
        var isOn = false
        var count = 1
    }

    var name = ""
    var boxes: Int?
    var lamp = Lamp()

    static let lampKeys = SettingMap(
        initial: Lamp(),
        settings: [
            Setting("on", \.isOn, .truth, scope: .fileOnly, initial: Lamp(), "On."),
            Setting("count", \.count, .count(1...9), scope: .fileOnly, initial: Lamp(), "Lamps."),
        ])
    static let keys = SettingMap(
        initial: Shelf(),
        settings: [
            Setting("name", \.name, .text, scope: .fileOnly, initial: Shelf(), usual: "none; needed", "A name."),
            Setting("boxes", \.boxes, .count(1...9), scope: .fileOnly, initial: Shelf(), usual: "any", "Boxes."),
            Setting("lamp", \.lamp, lampKeys.form(words: "a map"), scope: .fileOnly, initial: Shelf(), "A lamp."),
        ],
        rules: [
            SettingRule("name") { $0.name.isEmpty ? "the key name is missing" : nil },
            SettingRule("boxes") { $0.lamp.isOn && $0.boxes == 9 ? "leave no room for a lamp" : nil },
        ])
}

private struct Room: Equatable, Sendable {
    var shelves: [Shelf] = []
    var lamp: Shelf.Lamp?

    static let table = SettingsTable(
        program: "room", initial: Room(),
        settings: [
            Setting(
                "shelves", \.shelves,
                Shelf.keys.list(words: "a list of shelves", countMax: 3) { shelves in
                    shelves.indices.dropFirst().filter { shelves[$0].name == shelves[0].name }
                        .map { SettingConflict(index: $0, key: "name", reason: "is the name of the first") }
                }, scope: .fileOnly, initial: Room(), "Shelves."),
            Setting("lamp", \.lamp, Shelf.lampKeys.form(words: "a map"), scope: .fileOnly, initial: Room(), "A lamp."),
        ])
}

/// Tests of settings that are maps or lists of maps.
@Suite struct SettingMapTests {
    private func read(_ text: String) throws(SettingsError) -> SettingsInForce<Room> {
        try Room.table.read(text, at: "/h/a.yaml")
    }

    private func problems(_ text: String) -> [String] { Room.table.problems(of: text, at: "/h/a.yaml") }

    @Test func mapsAreRead() throws {
        let room = try read("shelves:\n  - {name: a, boxes: 2}\n  - name: b\n    lamp: {on: true}\nlamp: {count: 3}\n")
        var (first, second) = (Shelf(), Shelf())
        first.name = "a"
        first.boxes = 2
        second.name = "b"
        second.lamp.isOn = true
        #expect(room.values.shelves == [first, second])
        #expect(room.values.lamp == Shelf.Lamp(isOn: false, count: 3))
        #expect(try read("shelves: []\n").values == Room())
    }

    @Test(arguments: [
        ("shelves: 1\n", "/h/a.yaml:1: shelves: must be a list"),
        ("shelves:\n", "/h/a.yaml:1: shelves: must be a list"),
        ("shelves:\n  - a\n", "/h/a.yaml:2: shelves[1]: must be a map with keys"),
        ("shelves: [{name: a}, {name: b}, {name: c}, {name: d}]\n", "/h/a.yaml:1: shelves: has 4 values; at most 3"),
        ("shelves:\n  - boxes: 1\n", "/h/a.yaml:2: shelves[1]: the key name is missing"),
        ("shelves:\n  - name: a\n    boxes: x\n", "/h/a.yaml:3: shelves[1].boxes: must be a whole number from 1 to 9"),
        (
            "shelves:\n  - name: a\n    bxes: 1\n",
            "/h/a.yaml:3: \"bxes\" is not a known key of shelves[1]; did you mean boxes?"
        ),
        ("shelves:\n  - name: a\n    name: b\n", "/h/a.yaml:3: shelves[1].name: is given twice"),
        (
            "shelves:\n  - name: a\n    boxes: 9\n    lamp: {on: true}\n",
            "/h/a.yaml:3: shelves[1].boxes: leave no room for a lamp"
        ),
        ("shelves:\n  - name: a\n  - name: a\n", "/h/a.yaml:3: shelves[2].name: is the name of the first"),
        ("lamp: {on: 2}\n", "/h/a.yaml:1: lamp.on: must be true or false"),
        ("lamp: [on]\n", "/h/a.yaml:1: lamp: must be a map with keys"),
    ])
    func wrongMapsAreRefused(text: String, sentence: String) {
        let found = problems(text)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix(sentence) == true, "\(found)")
    }

    @Test func everyProblemOfAListIsNamed() {
        let found = problems("shelves:\n  - name: a\n    boxes: 0\n  - boxes: 1\n")
        #expect(found.count == 2)
    }

    /// A key that was given has its own line; any other key of the map has its default.
    @Test func everyKeyOfAMapHasARow() throws {
        let rows = try read("shelves:\n  - name: a\n    lamp:\n      count: 2\n").rows
        let shown = rows.map { "\($0.name)|\($0.value ?? $0.usual)|\($0.source)" }
        #expect(
            shown == [
                "shelves[1].name|a|/h/a.yaml:2", "shelves[1].boxes|any|default", "shelves[1].lamp.on|false|default",
                "shelves[1].lamp.count|2|/h/a.yaml:4", "lamp|none|default",
            ])
        #expect(try read("\n").rows.map(\.name) == ["shelves", "lamp"])
    }

    @Test func pageHasEveryKeyOfAMap() {
        #expect(
            SettingsPage(keysOf: Shelf.keys).lines == [
                "| key | value | default | meaning |", "|---|---|---|---|",
                "| `name` | text | none; needed | A name. |",
                "| `boxes` | 1 to 9 | any | Boxes. |", "| `lamp` | a map | on: false, count: 1 | A lamp. |",
            ])
    }
}
