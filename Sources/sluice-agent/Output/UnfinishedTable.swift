package import AgentKit
import CommandSupport
import TransferCore

/// The unfinished uploads as `status` shows them: number, key, progress and age, then the file and what the upload
/// waits for.
package struct UnfinishedTable {
    private let uploads: [AgentJournal.Unfinished]

    package init(_ uploads: [AgentJournal.Unfinished]) {
        self.uploads = uploads
    }

    /// - Parameter width: columns of the terminal; `nil` if the output is none.
    package func lines(width: Int?) -> [String] {
        guard width != nil else { return uploads.map(\.line) }
        return TextTable([.right, .name, .left, .left], rows: uploads.map(Self.row)).lines(width: width)
    }

    private static func row(_ upload: AgentJournal.Unfinished) -> TextTable.Row {
        let amount = StoredAmount(stored: upload.storedBytes, size: upload.isStream ? nil : upload.size)
        let whole = upload.isStream ? "a stream" : ReadableQuantity.size(upload.size)
        return TextTable.Row(
            [
                .init("\(upload.id.value)"), .init(upload.key),
                .init("\(ReadableQuantity.size(upload.storedBytes)) of \(whole) stored", amount.short, amount.shortest),
                .init(upload.age, upload.age, ""),
            ], notes: [upload.isStream ? .words(upload.source) : .name(upload.source), .words("(\(upload.waitsFor))")])
    }
}
