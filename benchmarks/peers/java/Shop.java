// What is the job? Events, what is kept of a user, and the two rules: nothing here knows an engine.

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.sun.management.OperatingSystemMXBean;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public final class Shop {
    public static final int WINDOW_DAYS = 30;
    private static final long DAY_MS = 86_400_000L;
    private static final JsonFactory JSON = new JsonFactory();

    private Shop() {}

    /** Of a click or an order only what the job needs; times are Unix milliseconds, money minor units. */
    public static class Event {
        public String type;
        public String eventId;
        public String userId;
        public long ts;
        public String sku;
        public int quantity;
        public long total;
        public List<String> skus;
        public List<Integer> quantities;

        public Event() {}
    }

    /** RFM by days, and the cart. A day takes four places: its number, events, orders, spend. */
    public static class Person {
        public long seenAt;
        public long[] days = new long[0];
        public Map<String, Integer> cart = new HashMap<>();
        public long changedAt;
        public String anchor;
        public long due; // of the cart, 0: nothing to tell

        public Person() {}
    }

    public static class Trigger {
        public String rule;
        public String userId;
        public String anchor;
        public long at;
        public long orders;
        public long spend;
        public List<String> skus;

        public Trigger() {}
    }

    /** The rules, and how an event changes a person. */
    public static class Rules implements java.io.Serializable {
        private final long cartDelay;
        private final long[] ladder;

        public Rules(Map<String, String> settings) {
            cartDelay = Long.parseLong(settings.get("cart_delay_ms"));
            ladder = Arrays.stream(settings.get("ladder").split(",")).mapToLong(Long::parseLong).toArray();
        }

        /** Whoever was due before the event is told first: the watermark may be behind this user's own time. */
        public void apply(Person person, Event e, List<Trigger> out) {
            if (person.due != 0 && e.ts > person.due) {
                out.add(abandoned(person, e.userId));
            }
            person.seenAt = Math.max(person.seenAt, e.ts);
            int day = today(person, e.ts);
            person.days[day + 1]++;
            switch (e.type) {
                case "cart_item_added" -> {
                    person.cart.merge(e.sku, e.quantity, Integer::sum);
                    changed(person, e);
                }
                case "cart_item_removed" -> {
                    if (person.cart.remove(e.sku) != null) {
                        changed(person, e);
                    }
                }
                case "order_placed" -> {
                    if (person.cart.keySet().removeAll(e.skus)) {
                        changed(person, e);
                    }
                    long before = rung(spend(person));
                    person.days[day + 2]++;
                    person.days[day + 3] += e.total;
                    if (rung(spend(person)) > before) {
                        out.add(told(person, "spend_milestone", e.userId, e.eventId, e.ts));
                    }
                }
                default -> {}
            }
        }

        /** The cart's time has come; to be called when nothing came before `due`. */
        public Trigger abandoned(Person person, String userId) {
            Trigger trigger = told(person, "cart_abandoned", userId, person.anchor, person.due);
            trigger.skus = new ArrayList<>(person.cart.keySet());
            person.due = 0;
            return trigger;
        }

        private void changed(Person person, Event e) {
            person.changedAt = e.ts;
            person.anchor = e.eventId;
            person.due = person.cart.isEmpty() ? 0 : e.ts + cartDelay;
        }

        private long rung(long amount) {
            long found = 0;
            for (long rung : ladder) {
                found = rung <= amount ? rung : found;
            }
            return found;
        }
    }

    private static Trigger told(Person person, String rule, String userId, String anchor, long at) {
        Trigger trigger = new Trigger();
        trigger.rule = rule;
        trigger.userId = userId;
        trigger.anchor = anchor;
        trigger.at = at;
        for (int i = 0; i < person.days.length; i += 4) {
            trigger.orders += person.days[i + 2];
        }
        trigger.spend = spend(person);
        return trigger;
    }

    private static long spend(Person person) {
        long sum = 0;
        for (int i = 0; i < person.days.length; i += 4) {
            sum += person.days[i + 3];
        }
        return sum;
    }

    /** Where the day of `ts` is; a new one goes to the end, and what is older than the window away. */
    private static int today(Person person, long ts) {
        long day = ts / DAY_MS;
        long[] days = person.days;
        if (days.length > 0 && days[days.length - 4] == day) {
            return days.length - 4;
        }
        int from = 0;
        while (from < days.length && days[from] < day - WINDOW_DAYS) {
            from += 4;
        }
        long[] next = Arrays.copyOfRange(days, from, days.length + 4);
        next[next.length - 4] = day;
        person.days = next;
        return next.length - 4;
    }

    public static Event decode(byte[] json) throws IOException {
        Event e = new Event();
        try (JsonParser p = JSON.createParser(json)) {
            p.nextToken();
            for (String name = p.nextFieldName(); name != null; name = p.nextFieldName()) {
                switch (name) {
                    case "type" -> e.type = p.nextTextValue();
                    case "event_id" -> e.eventId = p.nextTextValue();
                    case "user_id" -> e.userId = p.nextTextValue();
                    case "sku" -> e.sku = p.nextTextValue();
                    case "ts" -> e.ts = p.nextLongValue(0);
                    case "total" -> e.total = p.nextLongValue(0);
                    case "quantity" -> e.quantity = p.nextIntValue(0);
                    case "lines" -> lines(p, e);
                    default -> {
                        p.nextToken();
                        p.skipChildren();
                    }
                }
            }
        }
        return e;
    }

    private static void lines(JsonParser p, Event e) throws IOException {
        e.skus = new ArrayList<>();
        e.quantities = new ArrayList<>();
        p.nextToken();
        while (p.nextToken() == JsonToken.START_OBJECT) {
            for (String name = p.nextFieldName(); name != null; name = p.nextFieldName()) {
                switch (name) {
                    case "sku" -> e.skus.add(p.nextTextValue());
                    case "quantity" -> e.quantities.add(p.nextIntValue(0));
                    default -> p.nextToken();
                }
            }
        }
    }

    public static byte[] encode(Trigger trigger) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try (JsonGenerator g = JSON.createGenerator(bytes)) {
            g.writeStartObject();
            g.writeStringField("rule", trigger.rule);
            g.writeStringField("user_id", trigger.userId);
            g.writeStringField("anchor", trigger.anchor);
            g.writeNumberField("at", trigger.at);
            g.writeNumberField("orders", trigger.orders);
            g.writeNumberField("spend", trigger.spend);
            if (trigger.skus != null) {
                g.writeArrayFieldStart("skus");
                for (String sku : trigger.skus) {
                    g.writeString(sku);
                }
                g.writeEndArray();
            }
            g.writeEndObject();
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
        return bytes.toByteArray();
    }

    public static Map<String, String> settings(String[] args) {
        Map<String, String> settings = new HashMap<>();
        for (String arg : args) {
            String[] parts = arg.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        return settings;
    }

    /** How far is it, and what has it cost? A line on stdout every so many events. */
    public static final class Marks {
        private final long every;
        private long count;

        public Marks(Map<String, String> settings) {
            every = Long.parseLong(settings.get("mark_every"));
        }

        public void count() {
            if (++count % every == 0) {
                OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
                System.out.printf(
                        "{\"events\": %d, \"cpu_seconds\": %.6f, \"wall_seconds\": %.6f}%n",
                        count, system.getProcessCpuTime() / 1e9, System.nanoTime() / 1e9);
                System.out.flush();
            }
        }
    }
}
