import TransferCommon

// Changes of single settings by a program. What a person wrote into the file stays, also comments.

extension SettingsFile {
    /// The bytes of the file with other settings.
    ///
    /// - Parameters:
    ///   - settings: keys of the file with their new texts; a key without a text is removed.
    ///   - bytes: the bytes from which the file was read.
    /// - Returns: `nil` if the file is written in a form that only a person can change.
    package func changed(_ settings: [(name: String, text: String?)], in bytes: [UInt8]) -> [UInt8]? {
        let changed = isJSON ? changedJSON(settings) : changedYAML(settings, in: bytes)
        guard let changed else { return nil }
        // Read the result: a file in an unusual form may mean something else after the change.
        let result: SettingsFile
        do throws(SettingsError) {
            result = try SettingsFile(path: path, bytes: changed)
        } catch {
            return nil
        }
        return isChanged(into: result, by: settings) ? changed : nil
    }

    /// Whether another file differs from this one in these settings alone.
    ///
    /// - Parameter settings: keys of the file with their new texts; a key without a text is missing in the other file.
    private func isChanged(into other: SettingsFile, by settings: [(name: String, text: String?)]) -> Bool {
        func rest(_ file: SettingsFile) -> [SettingEntry] {
            file.entries.filter { entry in !settings.contains { entry.key.hasSameBytes(as: $0.name) } }
        }
        let (before, after) = (rest(self), rest(other))
        guard before.count == after.count,
            zip(before, after).allSatisfy({ $0.key.hasSameBytes(as: $1.key) && $0.value.hasSameValue(as: $1.value) })
        else { return false }
        return settings.allSatisfy { setting in
            let count = other.entries.filter { $0.key.hasSameBytes(as: setting.name) }.count
            return count == (setting.text == nil ? 0 : 1) && other.text(of: setting.name) == setting.text
        }
    }

    private func changedYAML(_ settings: [(name: String, text: String?)], in bytes: [UInt8]) -> [UInt8]? {
        var (bytes, file) = (bytes, self)
        for setting in settings {
            guard let next = file.changedYAML(setting.name, setting.text, in: bytes) else { return nil }
            bytes = next
            do throws(SettingsError) {
                file = try SettingsFile(path: path, bytes: bytes)
            } catch {
                return nil
            }
        }
        return bytes
    }

    private var isJSON: Bool { Self.isJSON(path) }

    private var entries: [SettingEntry] {
        if case .map(let entries) = root.value { entries } else { [] }
    }

    private func entry(_ name: String) -> SettingEntry? { entries.first { $0.key.hasSameBytes(as: name) } }

    private func text(of name: String) -> String? {
        guard case .scalar(let scalar) = entry(name)?.value.value else { return nil }
        return scalar.text
    }

    private func changedYAML(_ name: String, _ text: String?, in bytes: [UInt8]) -> [UInt8]? {
        switch (entry(name), text) {
        case (nil, nil): return bytes
        case (.some, let text?): return replacing(name, with: text, in: bytes)
        case (nil, let text?):
            let isLineOpen = bytes.last.map { $0 != UInt8(ascii: "\n") } ?? false
            return bytes + (isLineOpen ? "\n" : "").utf8 + "\(name): \(Self.quoted(text))\n".utf8
        case (let entry?, nil): return removing(entry, from: bytes)
        }
    }

    /// Removes the line of a key. The value must stand in the same line, and nothing else.
    private func removing(_ entry: SettingEntry, from bytes: [UInt8]) -> [UInt8]? {
        guard case .scalar(let scalar) = entry.value.value, entry.value.line == entry.line,
            !bytes[scalar.range].contains(UInt8(ascii: "\n"))
        else { return nil }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let index = entry.line - 1
        guard lines.indices.contains(index), lines[index].starts(with: entry.key.utf8) else { return nil }
        lines.remove(at: index)
        return Array(lines.joined(separator: [UInt8(ascii: "\n")]))
    }

    // MARK: JSON

    /// JSON has no comments, so the whole file can be written anew.
    private func changedJSON(_ settings: [(name: String, text: String?)]) -> [UInt8]? {
        guard case .map(let entries) = root.value else { return nil }
        var values = entries.map { (name: $0.key, text: Self.json($0.value, indent: 1)) }
        for setting in settings {
            let place = values.firstIndex { $0.name.hasSameBytes(as: setting.name) }
            switch (place, setting.text.map(Self.quoted)) {
            case (let place?, let text?): values[place].text = text
            case (let place?, nil): values.remove(at: place)
            case (nil, let text?): values.append((setting.name, text))
            case (nil, nil): break
            }
        }
        let lines = values.map { "    \(Self.quoted($0.name)): \($0.text)" }
        return Array((lines.isEmpty ? "{}\n" : "{\n\(lines.joined(separator: ",\n"))\n}\n").utf8)
    }

    private static func json(_ node: SettingNode, indent: Int) -> String {
        let space = String(repeating: "    ", count: indent)
        switch node.value {
        case .scalar(let scalar): return scalar.kind == .text ? quoted(scalar.text) : scalar.text
        case .list(let nodes): return "[" + nodes.map { json($0, indent: indent) }.joined(separator: ", ") + "]"
        case .map(let entries):
            let lines = entries.map { "\(space)    \(quoted($0.key)): \(json($0.value, indent: indent + 1))" }
            return lines.isEmpty ? "{}" : "{\n\(lines.joined(separator: ",\n"))\n\(space)}"
        }
    }
}
