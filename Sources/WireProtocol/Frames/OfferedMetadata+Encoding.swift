import TransferCommon

extension OfferedMetadata {
    func encode(into writer: inout BodyWriter) throws(WireError) {
        guard let count = UInt8(exactly: pairs.count) else { throw writer.badValue("metadata") }
        try writer.text8(contentType, "contentType")
        writer.integer(count)
        for pair in pairs {
            try writer.text8(pair.name, "name")
            try writer.text16(pair.value, "value")
        }
    }

    init(from reader: inout BodyReader) throws(WireError) {
        let contentType = try reader.text8("contentType")
        let count: UInt8 = try reader.integer()
        let pairs = try reader.list(count: Int(count)) { reader throws(WireError) in
            MetadataPair(name: try reader.text8("name"), value: try reader.text16("value"))
        }
        self.init(contentType: contentType, pairs: pairs)
    }
}
