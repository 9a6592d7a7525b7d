import AgentKit
package import AgentService
import CommandSupport

/// The status of a running service as `status` shows it: the service, its folders, the files that are being sent, and
/// those that wait or need a decision.
package struct ServiceReport {
    private let status: ServiceStatus

    package init(_ status: ServiceStatus) {
        self.status = status
    }

    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    package func lines(width: Int?) -> [String] {
        let sending = status.folders.flatMap(\.sending)
        let troubles = status.folders.flatMap(\.troubles)
        let hidden = status.folders.reduce(0) { $0 + max($1.troubleCount - $1.troubles.count, 0) }
        return head
            + TextTable([.name, .left, .right, .right, .left, .right], rows: status.folders.map(Self.row))
            .lines(width: width)
            + (sending.isEmpty ? [] : ["Being sent:"])
            + TextTable([.name, .right, .left], rows: sending.map(Self.row)).lines(width: width)
            + (troubles.isEmpty ? [] : ["Waiting, or in need of a decision:"])
            + TextTable([.left, .left, .name], rows: troubles.map(Self.row)).lines(width: width)
            + (hidden == 0 ? [] : ["\(counted(hidden, "further file")) like these."])
            + (troubles.isEmpty ? [] : ["sluice-agent retry ID tries one again, retry --all every one."])
    }

    /// The same for programs: for each folder its files and the folder itself, then the service.
    package var jsonLines: [String] {
        status.folders.flatMap { folder in
            folder.sending.map { JSONObject<SendingFields>($0, of: folder).line }
                + folder.troubles.map { JSONObject<TroubleFields>($0, of: folder).line }
                + [JSONObject<FolderFields>(folder).line]
        } + [JSONObject<ServiceFields>(status).line]
    }

    private var head: [String] {
        let time = ReadableQuantity.time(Double(status.uptimeSeconds))
        var lines = ["\(status.software) has run for \(time) and sends to \(status.gateway)."]
        if let pause = status.pause { lines.append("Nothing is sent now: \(pause).") }
        let rate = status.bytesPerSecond.map { "; now at most \(ReadableQuantity.size($0))/s" } ?? ""
        lines.append("Schedule: \(status.schedule)\(rate).")
        if let problem = status.settingsProblem {
            lines.append("The settings of the last reload are not used: \(problem).")
        }
        if status.folders.isEmpty { lines.append("The settings name no folder.") }
        return lines
    }

    private static func row(_ folder: ServiceStatus.Folder) -> TextTable.Row {
        let pending = folder.pending == 0 ? "nothing" : counted(folder.pending, "file")
        let bytes = folder.pending == 0 ? "" : ReadableQuantity.size(folder.pendingBytes)
        let age = folder.oldestSeconds.map { ReadableQuantity.time(Double($0)) }
        let oldest = age.map { TextTable.Cell("oldest \($0)", $0, "") } ?? TextTable.Cell("")
        var notes = [TextTable.Note.name(folder.path)]
        if let reason = folder.reason { notes.append(.words("(\(reason))")) }
        if let path = folder.lastProven { notes.append(.words("last proven: \(path)")) }
        return TextTable.Row(
            [
                .init(folder.name), .init(folder.state), .init("\(pending) pending", pending), .init(bytes), oldest,
                .init("\(folder.proven) proven", ""),
            ], notes: notes)
    }

    private static func row(_ file: ServiceStatus.Sending) -> TextTable.Row {
        let amount = StoredAmount(stored: file.storedBytes, size: file.bytes)
        return TextTable.Row([
            .init(file.path), .init(file.id, ""),
            .init(
                "\(ReadableQuantity.size(file.storedBytes)) of \(ReadableQuantity.size(file.bytes)) stored",
                amount.short, amount.shortest),
        ])
    }

    private static func row(_ trouble: ServiceStatus.Trouble) -> TextTable.Row {
        TextTable.Row(
            [.init(trouble.id), .init(trouble.state), .init(trouble.path)], notes: [.words("(\(trouble.reason))")])
    }
}
