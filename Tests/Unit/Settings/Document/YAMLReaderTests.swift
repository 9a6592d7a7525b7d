import Settings
import Testing

/// Tests of the reader of `agent.yaml` and `gateway.yaml`.
@Suite struct YAMLReaderTests {
    private func root(_ text: String) throws(SettingsError) -> SettingNode {
        try SettingsFile(path: "/h/agent.yaml", bytes: Array(text.utf8)).root
    }

    private func refusal(_ text: String) -> String? {
        do throws(SettingsError) {
            _ = try root(text)
            return nil
        } catch {
            return error.description
        }
    }

    /// The shape that folders will have: lists of maps, with lists and maps inside.
    @Test func readsNestedListsAndMaps() throws {
        let text = """
            # Folders
            folders:
              - name: recordings
                include: ["*.mp4", '*.mkv']
                ready: {when: idle, for: 10s}
              - name: "second"
            """
        guard case .map(let entries) = try root(text).value, case .list(let folders) = entries[0].value.value,
            case .map(let first) = folders[0].value
        else { throw SettingRefusal("another shape") }
        #expect(folders.map(\.line) == [3, 6])
        #expect(first.map(\.key) == ["name", "include", "ready"])
        #expect(first.map(\.line) == [3, 4, 5])
    }

    @Test(
        arguments: [
            ("12", .number), ("0x1F", .number), ("-1.5e3", .number), (".inf", .number), ("true", .boolean),
            ("False", .boolean), ("~", .null), ("", .null), ("null", .null), ("'12'", .text), ("\"true\"", .text),
            ("yes", .text), ("off", .text), ("12:30", .text), ("0.0.0.0:7420", .text), ("20MB/s", .text),
            ("1_000", .text),
            ("012", .number), ("|\n  12", .text),
        ] as [(String, SettingScalar.Kind)])
    func tellsTypesApart(written: String, kind: SettingScalar.Kind) throws {
        guard case .map(let entries) = try root("key: \(written)\n").value,
            case .scalar(let scalar) = entries[0].value.value
        else { throw SettingRefusal("no scalar") }
        #expect(scalar.kind == kind)
    }

    @Test(arguments: ["", "\n\n", "# only a comment\n", "---\n", "---\n# only a comment\n", "~\n", "{}"])
    func fileWithoutSettingsIsAnEmptyMap(text: String) throws {
        let file = try SettingsFile(path: "/h/agent.yaml", bytes: Array(text.utf8))
        #expect(file.root.value == .map([]))
        let table = SettingsTable(program: "sample", initial: 0, settings: [])
        #expect(try table.read(file: file).rows.isEmpty)
    }

    /// An alias could make a small file expand without bound, and a tag could change the type of a value.
    @Test(arguments: [
        ("a: &x 1\nb: *x\n", ":1: a value begins with &"), ("a: 1\ninclude: [*.mp4]\n", ":2: "),
        ("a: 1\nb: *x\n", ":2: a value begins with *"), ("a: !!str 1\n", ":1: a value begins with !"),
        ("&x a: 1\n", ":1: a value begins with &"), ("a:\n  - !t {b: 1}\n", ":2: a value begins with !"),
        ("? [a]\n: 1\n", ":1: a key is a list or a map"), ("a: 1\n---\nb: 2\n", "a second document"),
    ])
    func refusesAnchorsAliasesAndTags(text: String, reason: String) throws {
        let sentence = try #require(refusal(text))
        #expect(sentence.contains(reason), "\(sentence)")
    }

    @Test(arguments: [
        ("a: 1\nb: c: d\n", ":2: this is not YAML: a colon stands where no key may be"),
        ("a: 1\n\tb: 2\n", ":2: this is not YAML: "), ("a: \"x\n", "a quote is not closed"),
        ("a: [1, 2\nb: 3\n", "is not closed"), ("a: @x\n", "cannot begin with this character"),
        ("a\nb: 1\n", "this is not YAML"), ("a: \"\\q\"\n", "a backslash in double quotes"),
        ("a: 1\n  b: 2\n", "this is not YAML"), ("a: \u{1}\n", "control character"),
    ])
    func refusesWhatIsNotYAML(text: String, reason: String) throws {
        let sentence = try #require(refusal(text))
        #expect(sentence.contains("/h/agent.yaml:"), "\(sentence)")
        #expect(sentence.contains(reason), "\(sentence)")
    }

    @Test func namesTheLineThatIsNotUTF8() {
        let bytes: [UInt8] = Array("a: 1\nb: ".utf8) + [0xC3, 0x28, 0x0A]
        let error = #expect(throws: SettingsError.self) { try SettingsFile(path: "/h/agent.yaml", bytes: bytes) }
        #expect(error?.description == "/h/agent.yaml:2: it is not UTF-8")
    }

    @Test func boundsDepthLengthAndCount() {
        #expect(refusal(String(repeating: "[", count: 100_000))?.contains("inside one another") == true)
        #expect(refusal(String(repeating: "- ", count: 100_000))?.contains("inside one another") == true)
        let nested = (0..<15).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(refusal(nested) == nil)
        #expect(refusal("a: [" + String(repeating: "0,", count: 30_000) + "0]")?.contains("values") == true)
        #expect(refusal(String(repeating: "#", count: (1 << 20) + 1))?.contains("longer than") == true)
    }

    /// JSON is YAML, so a file `agent.yaml` may contain JSON.
    @Test func readsJSON() throws {
        let node = try root("{\n\t\"gateway\": \"g:1\", \"path\": \"a\\/b\"}")
        guard case .map(let entries) = node.value else { throw SettingRefusal("no map") }
        #expect(entries.map(\.key) == ["gateway", "path"])
    }

    /// Another address of the gateway must not cost the comments and the other settings of a file.
    @Test(arguments: [
        ("# é😀\ngateway: g:1 # here\npin: x\n", "# é😀\ngateway: \"h:2\" # here\npin: x\n"),
        ("pin: \"é\"\ngateway: 'g:1'\n", "pin: \"é\"\ngateway: \"h:2\"\n"),
        ("\u{FEFF}gateway: \"g:1\"\r\nprefix: a\r\n", "\u{FEFF}gateway: \"h:2\"\r\nprefix: a\r\n"),
    ])
    func replacesOneValue(before: String, after: String) throws {
        let bytes = Array(before.utf8)
        let file = try SettingsFile(path: "agent.yaml", bytes: bytes)
        let changed = try #require(file.replacing("gateway", with: "h:2", in: bytes))
        #expect(String(decoding: changed, as: UTF8.self).utf8.elementsEqual(after.utf8))
    }

    @Test(arguments: ["gateway:\npin: x\n", "gateway: |\n  g:1\npin: x\n", "gateway: [g]\n", "pin: x\n"])
    func replacesNothingElse(text: String) throws {
        let file = try SettingsFile(path: "agent.yaml", bytes: Array(text.utf8))
        #expect(file.replacing("gateway", with: "h:2", in: Array(text.utf8)) == nil)
    }

    /// The settings that a program writes when a home trusts another gateway.
    @Test(
        arguments: [
            ("# a\ngateway: g:1\npin: x # old\nprefix: p/\n", "# a\ngateway: \"h:2\"\nprefix: p/\nca: \"c\"\n"),
            ("gateway: g:1\nca: x", "gateway: \"h:2\"\nca: \"c\""), ("gateway: g\npin: |\n  x\n", nil),
            ("{gateway: g, pin: x}\n", nil), ("{\npin: x, limit-rate: 1MB/s,\ngateway: g, ca: y}\n", nil),
            ("{\npin: x,\ngateway: g, ca: y}\n", "{\ngateway: \"h:2\", ca: \"c\"}\n"),
            ("pin: x\n", "gateway: \"h:2\"\nca: \"c\"\n"),
        ] as [(String, String?)])
    func changesSettings(before: String, after: String?) throws {
        let file = try SettingsFile(path: "agent.yaml", bytes: Array(before.utf8))
        let changed = file.changed([("pin", nil), ("gateway", "h:2"), ("ca", "c")], in: Array(before.utf8))
        #expect(changed.map { String(decoding: $0, as: UTF8.self) } == after)
    }

    @Test func changesSettingsOfJSON() throws {
        let bytes = Array("{\"pin\": \"x\", \"a\": [1, {\"b\": null}], \"gateway\": \"g\"}".utf8)
        let file = try SettingsFile(path: "agent.json", bytes: bytes)
        let changed = try #require(file.changed([("pin", nil), ("gateway", "h:2"), ("ca", "c")], in: bytes))
        let again = try SettingsFile(path: "agent.json", bytes: changed)
        guard case .map(let entries) = again.root.value else { throw SettingRefusal("no map") }
        #expect(entries.map(\.key) == ["a", "gateway", "ca"])
        #expect(String(decoding: changed, as: UTF8.self).contains("[1, {"))
    }

    @Test func replacesOneValueOfJSON() throws {
        let bytes = Array("{ \"gateway\" : \"é\", \"pin\": 1 }".utf8)
        let file = try SettingsFile(path: "agent.json", bytes: bytes)
        let changed = try #require(file.replacing("gateway", with: "h:2", in: bytes))
        #expect(String(decoding: changed, as: UTF8.self) == "{ \"gateway\" : \"h:2\", \"pin\": 1 }")
        #expect(file.replacing("ca", with: "x", in: bytes) == nil)
    }
}
