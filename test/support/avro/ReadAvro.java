import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;

/** Reads bytes as Apache Avro does: a line { writer, reader, bytes } each, and prints { value } or { error }. */
class ReadAvro {
  public static void main(String[] arguments) throws Exception {
    ObjectMapper json = new ObjectMapper();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, Object> answer = new LinkedHashMap<>();
      try {
        JsonNode given = json.readTree(line);
        Schema writer = new Schema.Parser().parse(given.get("writer").toString());
        Schema reader = new Schema.Parser().parse(given.get("reader").toString());
        byte[] bytes = HexFormat.of().parseHex(given.get("bytes").asText());
        Object value = new GenericDatumReader<>(writer, reader).read(null, DecoderFactory.get().binaryDecoder(bytes, null));
        answer.put("value", plain(value));
      } catch (Exception | StackOverflowError error) {
        answer.put("error", String.valueOf(error.getMessage()));
      }
      System.out.println(json.writeValueAsString(answer));
    }
  }

  static Object plain(Object value) {
    if (value instanceof GenericRecord record) {
      Map<String, Object> object = new LinkedHashMap<>();
      for (Schema.Field field : record.getSchema().getFields()) object.put(field.name(), plain(record.get(field.name())));
      return object;
    }
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> object = new LinkedHashMap<>();
      map.forEach((key, item) -> object.put(key.toString(), plain(item)));
      return object;
    }
    if (value instanceof List<?> list) {
      List<Object> array = new ArrayList<>();
      for (Object item : list) array.add(plain(item));
      return array;
    }
    if (value instanceof ByteBuffer buffer) {
      byte[] bytes = new byte[buffer.remaining()];
      buffer.duplicate().get(bytes);
      return Map.of("bytes", HexFormat.of().formatHex(bytes));
    }
    if (value instanceof GenericFixed fixed) return Map.of("bytes", HexFormat.of().formatHex(fixed.bytes()));
    return value == null || value instanceof Number || value instanceof Boolean ? value : value.toString();
  }
}
